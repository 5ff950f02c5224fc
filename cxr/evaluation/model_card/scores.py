"""What the card says of the scores: calibration, prevalence, and how far they are off."""

from collections.abc import Callable
from typing import Any

from cxr.evaluation.model_card import about
from cxr.evaluation.model_card.form import display, in_percent, number, paragraphs, table
from cxr.model.config import Config

_RELIABILITY = "figures/reliability.png"


def meaning(config: Config, metrics: dict[str, Any]) -> str:
    """Calibration, prevalence and its assumption, and the table of both."""
    calibrated = any(pair != (1.0, 0.0) for pair in config.calibration.values())
    picture = calibrated and metrics.get("reliability")
    return paragraphs(
        [
            "A score is a probability at a stated prevalence: the share of images that carry the "
            "label where the image comes from. The model learned at that of its training images; "
            "the demo restates each score at the prevalence of the full NIH release, or at one "
            "that the reader states, by moving its log-odds.",
            _calibration(calibrated),
            _assumption(config, metrics),
            f"![Reliability: scores against shares of images]({_RELIABILITY})" if picture else "",
            _table(config, metrics, calibrated),
        ]
    )


def _calibration(calibrated: bool) -> str:
    if not calibrated:
        return (
            "The calibration is the identity: scores come as the network was trained to give them."
        )
    return (
        "Scores are calibrated: score = sigmoid(a · logit + b) at the training prevalence (Platt "
        "1999), a and b fitted on the validation patients for each label and drawn towards one fit "
        "common to all, the more the fewer images carry the label."
    )


def _assumption(config: Config, metrics: dict[str, Any]) -> str:
    """What stands behind figures at another prevalence."""
    error = (
        "The expected calibration error takes 15 bins of equal weight, and is the mean distance of "
        "score and share in them."
    )
    if metrics.get("prevalence") != "nih":
        return error if metrics.get("mean_ece") is not None else ""
    violated = (
        ", which choosing images for their findings violates" if about.is_enriched(config) else ""
    )
    return (
        f"{error} At NIH's prevalence images are weighted so that each label has NIH's share. Both "
        "this and the moving of log-odds assume that images with a label, and those without, look "
        f"alike at both prevalences{violated}."
    )


def _table(config: Config, metrics: dict[str, Any], calibrated: bool) -> str:
    """Prevalences, calibration where there is any, and what was measured of it."""
    findings = metrics.get("findings") or {}
    found = {label: findings.get(label) or {} for label in config.labels}
    raw = {label: found[label].get("as_measured") or {} for label in config.labels}
    columns: dict[str, Callable[[str], str]] = {
        "of training images, %": lambda k: in_percent(config.prevalence["training"][k]),
        "of NIH's images, %": lambda k: in_percent(config.prevalence["nih"][k]),
    }
    if calibrated:
        columns["a"] = lambda k: number(config.calibration[k][0])
        columns["b"] = lambda k: number(config.calibration[k][1])
    if any(figures.get("brier") is not None for figures in found.values()):
        columns["Brier score"] = lambda k: number(found[k].get("brier"))
    note = ""
    if any(raw.values()):
        columns["of test images, %"] = lambda k: in_percent(raw[k].get("share"))
        columns["error as measured"] = lambda k: number(raw[k].get("ece"))
        note = (
            "Error as measured: the calibration error of the test images unweighted, with scores at "
            "the training prevalence."
        )
    rows = [(display(k), *(show(k) for show in columns.values())) for k in config.labels]
    return paragraphs([table(("label", *columns), rows), note])
