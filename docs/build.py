"""Fills the generated parts of README.md from the code and the measured files.

    python docs/build.py

A part stands between `<!-- NAME -->` and `<!-- /NAME -->`; a test keeps it equal to its source.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import cxr_labels  # noqa: E402
from cxr import atomic  # noqa: E402

README = ROOT / "README.md"
METRICS = ROOT / "models" / "starter" / "metrics.json"


def render(text: str) -> str:
    """The text with every generated part made anew. Raises KeyError on an unknown part."""
    parts = {"findings": cxr_labels.markdown_table(), "starter": starter_figures()}

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- {name} -->\n{parts[name]}\n<!-- /{name} -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- /(?P=name) -->", fill, text, flags=re.DOTALL)


def starter_figures() -> str:
    """What the starter reaches on its test patients, beside what answers without a film reach."""
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    floor, found = metrics["baselines"], metrics["localisation"]
    pointing, constant = found["pointing"], found["controls"]["constant_box"]
    rows = [
        ("mean AUROC, 14 findings", _share(metrics, "mean_auroc"),
         f"{floor['metadata_only_mean_auroc']:.3f} (sex, age and view)"),
        ("the same without Pneumonia and Hernia",
         _share(metrics, "mean_auroc_without_pneumonia_hernia"), ""),
        (f"map points into the box ({pointing['boxes']} boxes)",
         f"{pointing['mean']:.3f} ({pointing['ci95'][0]:.3f} to {pointing['ci95'][1]:.3f})",
         f"{constant['pointing']:.3f} (a constant place per finding)"),
        ("accuracy over 15 labels", f"{metrics['accuracy_multi']:.3f}",
         f"{floor['predict_nothing']:.3f} (predicting nothing), "
         f"{floor['always_no_finding']:.3f} (always \"No Finding\")"),
    ]  # fmt: skip
    head = ["| figure | starter (95 % interval) | without looking at the film |", "|---|---|---|"]
    table = head + [f"| {what} | {value} | {control} |" for what, value, control in rows]
    where = f"On {metrics['n_images']:,} films of {metrics['n_patients']:,} unseen patients:"
    return "\n".join([where, "", *table])


def _share(metrics: dict, name: str) -> str:
    low, high = metrics[f"{name}_ci95"]
    return f"{metrics[name]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    atomic.write_text(README, render(README.read_text(encoding="utf-8")))
