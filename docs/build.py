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
from benchmarks import table  # noqa: E402
from cxr import atomic  # noqa: E402
from cxr.model import model_folder  # noqa: E402
from cxr.web.page import measured  # noqa: E402

DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    DOCS / "api.md",
    DOCS / "article.md",
    DOCS / "experiments.md",
    DOCS / "performance.md",
)
ARTICLE = DOCS / "article.json"
COPIES = DOCS / "copies.json"
STARTER = ROOT / "models" / "starter"
IMAGE = ROOT / "examples" / "chest_rg1.png"
METRICS = STARTER / "metrics.json"
OOD_IMAGES = STARTER / "ood_images.json"


def render(text: str) -> str:
    """The text with every generated part made anew. Raises KeyError on an unknown part."""
    parts = {
        "findings": cxr_labels.markdown_table,
        "starter": starter_figures,
        "recipes": recipe_figures,
        "recipe_command": recipe_command,
        "copies": copy_figures,
        "endpoints": endpoints,
        "answer": answer,
        "client": client,
        "limits": limits,
        "performance": table.metrics,
        "performance_gpu": table.metrics_on_a_gpu,
    }

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- {name} -->\n{parts[name]()}\n<!-- /{name} -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- /(?P=name) -->", fill, text, flags=re.DOTALL)


def starter_figures() -> str:
    """What the starter reaches on its test patients, beside what answers without an image reach."""
    metrics = _read(METRICS)
    head = [
        "| figure | starter (95 % interval) | beside it, without looking at the image |",
        "|---|---|---|",
    ]
    rows = measured.headline(metrics)
    table = head + [f"| {row.what.en} | {row.value.en} | {row.control.en} |" for row in rows]
    where = f"On {metrics['n_images']:,} images of {metrics['n_patients']:,} unseen patients:"
    return "\n".join([where, "", *table])


def starter_card() -> str:
    """The starter's card, with the OOD measurement, which is no part of a training run."""
    from cxr.evaluation import model_card

    config = model_folder.load(STARTER)
    return model_card.render(config, _read(METRICS), _read(OOD_IMAGES))


def recipe_figures() -> str:
    """Both recipes and the constant answers side by side."""
    recipes = _read(ARTICLE)["recipes"]
    floors = {name: metrics["baselines"] for name, metrics in recipes.items()}
    rows = [
        ("test images", *(f"{m['n_images']:,}" for m in recipes.values())),
        ("of them of patients that training saw",
         *(f"{m['images_of_trained_patients']:,}" for m in recipes.values())),
        ("accuracy over 15 labels", *(f"{m['accuracy_multi']:.3f}" for m in recipes.values())),
        ("the same for predicting nothing",
         *(f"{floor['predict_nothing']:.3f}" for floor in floors.values())),
        ("the same for always \"No Finding\"",
         *(f"{floor['always_no_finding']:.3f}" for floor in floors.values())),
        ("mean AUROC (95 % interval)", *(_share(m, "mean_auroc") for m in recipes.values())),
        ("mean AUROC from sex, age and view alone",
         *(f"{floor['metadata_only_mean_auroc']:.3f}" for floor in floors.values())),
    ]  # fmt: skip
    head = ["| on the test images | this project's | the article's |", "|---|---|---|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def recipe_command() -> str:
    """The options that both recipes were run with."""
    return f"Both were trained with `{' '.join(_read(ARTICLE)['options'])}`."


def copy_figures() -> str:
    """How far the starter's probabilities move between copies of an image."""
    rows = [
        f"| {copy} | {change['mean']:.4f} | {change['largest']:.3f} | "
        f"{100 * change['flags_changed']:.1f} % |"
        for copy, change in _read(COPIES).items()
    ]
    head = ["| copy of the image | mean change | largest | flags that turn |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def endpoints() -> str:
    """What the page's own description of its API says of each endpoint."""
    from cxr.inference.predictor import Predictor
    from cxr.web import interface

    described = interface.build(Predictor(STARTER)).get_api_info()["named_endpoints"]
    rows = []
    for name, endpoint in described.items():
        takes = ", ".join(_parameter(told) for told in endpoint["parameters"])
        gives = re.sub(r" (prevalence|finding): .*", "", endpoint["description"])
        rows.append(f"| `{name}` | {takes} | {gives} |")
    return "\n".join(["| endpoint | takes | gives |", "|---|---|---|", *rows])


def answer() -> str:
    """The JSON object for an example image; what machines compute differently is rounded away."""
    from cxr.inference import results
    from cxr.inference.predictor import Predictor

    found = results.of_file(Predictor(STARTER), IMAGE, IMAGE.name)
    found["probabilities"] = {name: round(p, 2) for name, p in found["probabilities"].items()}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
    return "\n".join(["```json", "{", ",\n".join(lines), "}", "```"])


def client() -> str:
    """The versions that page and client are tested with."""
    pinned = {
        package: version
        for name in ("requirements.txt", "requirements-dev.txt")
        for package, _, version in (
            line.partition("==") for line in (ROOT / name).read_text().splitlines()
        )
    }
    return (
        f"With Gradio's client (`pip install gradio_client=={pinned['gradio_client']}`; the page "
        f"runs Gradio {pinned['gradio']}):"
    )


def limits() -> str:
    """What the page's settings allow."""
    from cxr import imaging
    from cxr.web import page
    from cxr.web.page import intake

    rows = [
        ("a file", f"{intake.MAX_MEGABYTES} MB; at least "
         f"{imaging.MIN_SIDE} pixels a side, at most {imaging.MAX_PIXELS:,} in all"),
        ("images of one `/predict_many`", f"{page.MOST_IMAGES}"),
        ("images that are opened at once", "as many as the machine has cores, and "
         f"{page.LISTS_AT_ONCE['concurrency_limit']} list of images"),
        ("requests that may wait", f"{page.WAITING}; one more is rejected with status 503"),
        ("uploads, and images made of them", f"deleted within {page.KEPT // 60} minutes, and "
         "when the page ends"),
    ]  # fmt: skip
    head = ["| what | limit |", "|---|---|"]
    return "\n".join([*head, *(f"| {what} | {limit} |" for what, limit in rows)])


def _parameter(told: dict) -> str:
    kind = told["python_type"]["type"].partition("[")[0].replace("Literal", "one of the 15 labels")
    kind = {"filepath": "an image", "list": "a list of images", "str": "text"}.get(kind, kind)
    default = (
        f", `{told['parameter_default']}` if left out" if told["parameter_has_default"] else ""
    )
    return f"`{told['parameter_name']}` ({kind}{default})"


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _share(metrics: dict, name: str) -> str:
    low, high = metrics[f"{name}_ci95"]
    return f"{metrics[name]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    for page in PAGES:
        atomic.write_text(page, render(page.read_text(encoding="utf-8")))
    atomic.write_text(STARTER / model_folder.CARD, starter_card())
