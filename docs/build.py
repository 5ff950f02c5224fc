"""Generates the marked blocks of the documents, and the starter's model card.

    python docs/build.py

A block is between `<!-- NAME -->` and `<!-- /NAME -->`. `BLOCKS` says which document has which
blocks and where their content comes from. A test checks that every block is up to date.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import cxr_labels  # noqa: E402
from benchmarks import table as performance  # noqa: E402
from cxr import atomic, imaging  # noqa: E402
from cxr.inference import results  # noqa: E402
from cxr.inference.predictor import Predictor  # noqa: E402
from cxr.model import metrics, model_folder  # noqa: E402
from cxr.web.page import measured  # noqa: E402

DOCS = ROOT / "docs"
STARTER = ROOT / "models" / "starter"
IMAGE = ROOT / "examples" / "chest_rg1.png"


def findings() -> str:
    """The labels, from cxr_labels.py."""
    return _table(
        ("finding", "label", "what it is", "prevalence in NIH's images"),
        (
            (
                finding.display,
                f"`{finding.name}`",
                finding.sentence,
                f"{100 * finding.nih_prevalence:.1f} %",
            )
            for finding in cxr_labels.TABLE
        ),
    )


def starter() -> str:
    """The starter's results on its test set beside their controls, from its metrics.json."""
    found = metrics.read(STARTER)
    rows = [(row.what.en, row.value.en, row.control.en) for row in measured.headline(found)]
    return f"On {found.n_images:,} images of {found.n_patients:,} unseen patients:\n\n" + _table(
        ("metric", "starter (95 % interval)", "control, without the image"), rows
    )


def starter_card() -> str:
    """The starter's model card, with the OOD measurement, which is no part of a training run."""
    from cxr.evaluation import model_card

    ood = _read(STARTER / "ood_images.json")
    return model_card.render(model_folder.load(STARTER), metrics.read(STARTER), ood)


def result() -> str:
    """The JSON object for an example image; digits that differ between machines are left out."""
    found = results.of_file(Predictor(STARTER), IMAGE, IMAGE.name)
    found["probabilities"] = {name: round(p, 2) for name, p in found["probabilities"].items()}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
    return "\n".join(["```json", "{", ",\n".join(lines), "}", "```"])


def csv_columns() -> str:
    """The columns of the CSV table."""
    return f"```csv\n{','.join(results.CSV_COLUMNS)}\n```"


def endpoints() -> str:
    """The endpoints, from the app's own description of its API."""
    from cxr.web import interface

    described = interface.build(Predictor(STARTER)).get_api_info()["named_endpoints"]
    return _table(
        ("endpoint", "parameters", "result"),
        (
            (
                f"`{name}`",
                ", ".join(map(_parameter, endpoint["parameters"])),
                re.sub(r" (prevalence|finding): .*", "", endpoint["description"]),
            )
            for name, endpoint in described.items()
        ),
    )


def client() -> str:
    """The versions of Gradio and its client, from the requirements files."""
    lines = [
        line.partition("==")
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    pins = {package: version for package, _, version in lines}
    return (
        f"With Gradio's client (`python -m pip install gradio_client=={pins['gradio_client']}`; "
        f"the page runs Gradio {pins['gradio']}):"
    )


def limits() -> str:
    """The limits of the page and its API, from its settings."""
    from cxr.web import limits

    lists = limits.LIST["concurrency_limit"]
    return _table(
        ("what", "limit"),
        (
            (
                "a file",
                f"{limits.MAX_MEGABYTES} MB; at least {imaging.MIN_SIDE} pixels per side, at most "
                f"{imaging.MAX_PIXELS:,} pixels",
            ),
            ("images of one `/predict_many`", f"{limits.MAX_IMAGES}"),
            ("images at the same time", f"one per core of the machine, and {lists} list of images"),
            ("waiting requests", f"{limits.MAX_WAITING}; one more is rejected with status 503"),
            (
                "uploads, and images made from them",
                f"deleted within {limits.KEEP_SECONDS // 60} minutes, and when the page ends",
            ),
        ),
    )


def recipe_command() -> str:
    """The options of both recipes, from docs/article.json."""
    return f"Both were trained with `{' '.join(_read(DOCS / 'article.json')['options'])}`."


def recipes() -> str:
    """Both recipes and the constant answers side by side, from docs/article.json."""
    both = list(_read(DOCS / "article.json")["recipes"].values())
    floors = [recipe["baselines"] for recipe in both]
    rows = [
        ("test images", [f"{m['n_images']:,}" for m in both]),
        (
            "of these, of patients of the training set",
            [f"{m['images_of_trained_patients']:,}" for m in both],
        ),
        ("accuracy over 15 labels", [f"{m['accuracy_multi']:.3f}" for m in both]),
        ("the same for predicting nothing", [f"{f['predict_nothing']:.3f}" for f in floors]),
        ('the same for always "No Finding"', [f"{f['always_no_finding']:.3f}" for f in floors]),
        ("mean AUROC (95 % interval)", [_with_interval(m["mean_auroc"]) for m in both]),
        (
            "mean AUROC from sex, age and view alone",
            [f"{f['metadata_only_mean_auroc']:.3f}" for f in floors],
        ),
    ]
    return _table(
        ("on the test set", "this project's recipe", "the article's recipe"),
        ((name, *values) for name, values in rows),
    )


def copies() -> str:
    """How far probabilities move between copies of an image, from docs/copies.json."""
    return _table(
        ("copy of the image", "mean change", "largest change", "flags that change"),
        (
            (
                copy,
                f"{change['mean']:.4f}",
                f"{change['largest']:.3f}",
                f"{100 * change['flags_changed']:.1f} %",
            )
            for copy, change in _read(DOCS / "copies.json").items()
        ),
    )


BLOCKS = {
    ROOT / "README.md": {"starter": starter},
    DOCS / "predict.md": {"findings": findings, "result": result, "csv": csv_columns},
    DOCS / "api.md": {"endpoints": endpoints, "client": client, "limits": limits},
    DOCS / "evaluation.md": {"starter": starter},
    DOCS / "article.md": {"recipe_command": recipe_command, "recipes": recipes},
    DOCS / "development-log.md": {"copies": copies},
    DOCS / "performance.md": {
        "performance": performance.metrics,  # from docs/performance.json
        "performance_gpu": performance.metrics_on_a_gpu,  # from docs/performance_gpu.json
    },
}


def render(page: Path) -> str:
    """The text of a document with its blocks generated.

    Raises:
        ValueError: The document does not have one of its blocks exactly once.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in BLOCKS[page].items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{page} must have the block {name!r} exactly once.")
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{content()}\n{end}{after}"
    return text


def main() -> None:
    """Writes the documents and the card, each in one step."""
    for page in BLOCKS:
        atomic.write_text(page, render(page))
    atomic.write_text(STARTER / model_folder.CARD, starter_card())


def _parameter(described: dict[str, Any]) -> str:
    """A parameter of an endpoint, from Gradio's description of it."""
    kind = described["python_type"]["type"].partition("[")[0]
    words = {"filepath": "an image", "list": "a list of images", "str": "text"}
    kind = words.get(kind, "one of the 15 labels" if kind == "Literal" else kind)
    default = f", default `{described['parameter_default']}`"
    return (
        f"`{described['parameter_name']}` ({kind}"
        f"{default if described['parameter_has_default'] else ''})"
    )


def _with_interval(estimate: dict[str, Any]) -> str:
    low, high = estimate["ci95"]
    return f"{estimate['value']:.3f} ({low:.3f} to {high:.3f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
