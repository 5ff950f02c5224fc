"""The model card: README.md of the model folder, made from config and metrics.

Every figure in it comes from `config.json`, `metrics.json` or the run on out-of-distribution images; what is
absent or undefined is shown as "-" or said in a sentence.
"""

from typing import Any

from cxr.evaluation.model_card import about, checked, header, localisation, measured, scores, use
from cxr.model.config import Config


def render(
    config: Config, metrics: dict[str, Any], input_check: dict[str, Any] | None = None
) -> str:
    """The card as Markdown with the Hub's YAML header.

    metrics: metrics.json, of this version or an older one; any figure may be None or absent.
    input check: what became of out-of-distribution images: {"kinds": {kind: {"pictures", "rejected", "warned"}},
        "rejected_share", "ci95", "chest_transforms": as "kinds"}; None where none were tried.
    """
    parts = [
        header.metadata(metrics),
        "# Chest X-ray findings",
        about.summary(config),
        about.warning(metrics),
        measured.headline(metrics),
        "## What it is for, and what not",
        about.intended_use(),
        "## Data and its label noise",
        about.data(config),
        "## Training and split",
        about.training(config, metrics),
        "## How well it tells images apart",
        measured.ranking(metrics),
        "## What is flagged",
        measured.flagging(config, metrics),
        "## What the scores mean",
        scores.meaning(config, metrics),
        "## Groups of patients",
        measured.subgroups(metrics),
        "## Where it looks",
        localisation.boxes(metrics),
        "## Images it should not answer",
        checked.images_and_pictures(metrics, input_check),
        "## Limits",
        about.limits(config, metrics),
        "## Use from Python",
        use.snippets(config),
        "## Licence and citation",
        use.licence(),
    ]
    return "\n\n".join(parts) + "\n"
