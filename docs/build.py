"""Fills the generated parts of the documents, and makes the starter's card, from measured files.

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
from cxr import atomic, model_folder  # noqa: E402
from cxr.serving.page import measured  # noqa: E402

PAGES = (ROOT / "README.md", ROOT / "docs" / "article.md", ROOT / "docs" / "experiments.md")
ARTICLE = ROOT / "docs" / "article.json"
COPIES = ROOT / "docs" / "copies.json"
STARTER = ROOT / "models" / "starter"
METRICS = STARTER / "metrics.json"
ODD_PICTURES = STARTER / "odd_pictures.json"


def render(text: str) -> str:
    """The text with every generated part made anew. Raises KeyError on an unknown part."""
    parts = {
        "findings": cxr_labels.markdown_table,
        "starter": starter_figures,
        "recipes": recipe_figures,
        "recipe_command": recipe_command,
        "copies": copy_figures,
    }

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- {name} -->\n{parts[name]()}\n<!-- /{name} -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- /(?P=name) -->", fill, text, flags=re.DOTALL)


def starter_figures() -> str:
    """What the starter reaches on its test patients, beside what answers without a film reach."""
    metrics = _read(METRICS)
    head = [
        "| figure | starter (95 % interval) | beside it, without looking at the film |",
        "|---|---|---|",
    ]
    rows = measured.headline(metrics)
    table = head + [f"| {row.what.en} | {row.value.en} | {row.control.en} |" for row in rows]
    where = f"On {metrics['n_images']:,} films of {metrics['n_patients']:,} unseen patients:"
    return "\n".join([where, "", *table])


def starter_card() -> str:
    """The starter's card, with what became of odd pictures, which no training run measures."""
    from cxr.training import model_card

    config = model_folder.load(STARTER)
    return model_card.render(config, _read(METRICS), _read(ODD_PICTURES))


def recipe_figures() -> str:
    """Both recipes and the constant answers side by side."""
    recipes = _read(ARTICLE)["recipes"]
    floors = {name: metrics["baselines"] for name, metrics in recipes.items()}
    rows = [
        ("test films", *(f"{m['n_images']:,}" for m in recipes.values())),
        ("of them of patients that training saw",
         *(f"{m['films_of_trained_patients']:,}" for m in recipes.values())),
        ("accuracy over 15 labels", *(f"{m['accuracy_multi']:.3f}" for m in recipes.values())),
        ("the same for predicting nothing",
         *(f"{floor['predict_nothing']:.3f}" for floor in floors.values())),
        ("the same for always \"No Finding\"",
         *(f"{floor['always_no_finding']:.3f}" for floor in floors.values())),
        ("mean AUROC (95 % interval)", *(_share(m, "mean_auroc") for m in recipes.values())),
        ("mean AUROC from sex, age and view alone",
         *(f"{floor['metadata_only_mean_auroc']:.3f}" for floor in floors.values())),
    ]  # fmt: skip
    head = ["| on the test films | this project's | the article's |", "|---|---|---|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def recipe_command() -> str:
    """The options that both recipes were run with."""
    return f"Both were trained with `{' '.join(_read(ARTICLE)['options'])}`."


def copy_figures() -> str:
    """How far the starter's probabilities move between copies of a film."""
    rows = [
        f"| {copy} | {change['mean']:.4f} | {change['largest']:.3f} | "
        f"{100 * change['flags_turned']:.1f} % |"
        for copy, change in _read(COPIES).items()
    ]
    head = ["| copy of the film | mean change | largest | flags that turn |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _share(metrics: dict, name: str) -> str:
    low, high = metrics[f"{name}_ci95"]
    return f"{metrics[name]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    for page in PAGES:
        atomic.write_text(page, render(page.read_text(encoding="utf-8")))
    atomic.write_text(STARTER / model_folder.CARD, starter_card())
