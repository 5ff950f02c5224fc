"""The model card: README.md of the model folder, made from config and metrics.

Every figure in it comes from `config.json`, `metrics.json` or the run on odd pictures; what is
absent or undefined is shown as "-" or said in a sentence.
"""

from typing import Any

from cxr.model_folder import Config
from cxr.training.model_card import about, header, localisation, measured, scores, screened, use


def render(config: Config, metrics: dict[str, Any], screening: dict[str, Any] | None = None) -> str:
    """The card as Markdown with the Hub's YAML header.

    metrics: metrics.json, of this version or an older one; any figure may be None or absent.
    screening: what became of odd pictures: {"kinds": {kind: {"pictures", "refused", "warned"}},
        "refused_share", "ci95", "chest_transforms": as "kinds"}; None where none were tried.
    """
    parts = [
        header.metadata(metrics),
        "# Chest film findings",
        about.summary(config),
        about.warning(metrics),
        measured.headline(metrics),
        "## What it is for, and what not",
        about.intended_use(),
        "## Data and its label noise",
        about.data(config),
        "## Training and split",
        about.training(config, metrics),
        "## How well it tells films apart",
        measured.ranking(metrics),
        "## What is flagged",
        measured.flagging(config, metrics),
        "## What the scores mean",
        scores.meaning(config, metrics),
        "## Groups of patients",
        measured.subgroups(metrics),
        "## Where it looks",
        localisation.boxes(metrics),
        "## Pictures it should not answer",
        screened.films_and_pictures(metrics, screening),
        "## Limits",
        about.limits(config, metrics),
        "## Use from Python",
        use.snippets(config),
        "## Licence and citation",
        use.licence(),
    ]
    return "\n\n".join(parts) + "\n"
