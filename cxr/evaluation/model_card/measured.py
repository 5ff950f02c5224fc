"""The card's tables of figures on the test images: the headline, findings, flagging, groups."""

from collections.abc import Mapping
from typing import Any

from cxr.evaluation.model_card import about
from cxr.evaluation.model_card.form import (
    ABSENT,
    bullets,
    count,
    display,
    in_percent,
    number,
    paragraphs,
    percent,
    table,
    with_interval,
)
from cxr.evaluation.summary import averaged
from cxr.inference.prevalence import thresholds_at
from cxr.model.config import Config
from cxr_labels import FINDINGS

_INTERVALS = "In brackets: 95 % intervals, from a bootstrap over patients."


def headline(metrics: dict[str, Any]) -> str:
    """The few figures that sum the model up, beside what answers without an image reach."""
    floor = metrics.get("baselines") or {}
    found = metrics.get("localisation") or {}
    pointing = found.get("pointing") or {}
    constant = (found.get("controls") or {}).get("constant_box") or {}
    rows = [
        (
            f"mean AUROC over {averaged(metrics)}",
            with_interval(metrics, "mean_auroc"),
            _said(number(floor.get("metadata_only_mean_auroc")), "from sex, age and view"),
        ),
        (
            "the same without Pneumonia and Hernia",
            with_interval(metrics, "mean_auroc_without_pneumonia_hernia"),
            "",
        ),
        (
            "mean average precision",
            with_interval(metrics, "mean_average_precision"),
            _said(number(_mean_share(metrics)), "by chance"),
        ),
        (
            "mean expected calibration error",
            with_interval(metrics, "mean_ece"),
            _said(
                number(metrics.get("mean_ece_if_calibrated")),
                "for a perfectly calibrated model on so few images",
            ),
        ),
        (
            "maps that point into the radiologists' box",
            with_interval(pointing, "mean", percent, "ci95"),
            _said(percent(constant.get("pointing")), "for a constant place"),
        ),
        (
            "accuracy over 15 labels",
            percent(metrics.get("accuracy_multi")),
            _said(percent(floor.get("predict_nothing")), "for nothing")
            + _said(percent(floor.get("always_no_finding")), 'always "No finding"', ", "),
        ),
    ]
    head = ("figure", "value (95 % interval)", "beside it")
    return table(head, [row for row in rows if row[1] != ABSENT or row[0].startswith("mean AUROC")])


def ranking(metrics: dict[str, Any]) -> str:
    """Per label: AUROC, average precision, calibration error."""
    findings = metrics.get("findings") or {}
    rows = [
        (
            display(label),
            count(found.get("positives")),
            with_interval(found, "auroc"),
            with_interval(found, "average_precision"),
            with_interval(found, "ece"),
        )
        for label, found in findings.items()
    ]
    head = ("label", "test images", "AUROC", "average precision", "calibration error")
    return paragraphs(
        [
            f"{_on_whom(metrics)} {_INTERVALS} AUROC and average precision are of the test images "
            "as they are, average precision at their own share of the label. The calibration error "
            f"is {_at(metrics)}.",
            table(head, rows) if rows else "Not measured.",
            metrics.get("literature") or "",
        ]
    )


def flagging(config: Config, metrics: dict[str, Any]) -> str:
    """The thresholds, how they were chosen, and what flagging by them does."""
    at_nih = dict(zip(config.labels, map(float, thresholds_at(config, "nih")), strict=True))
    rows = [
        (
            display(label),
            in_percent(at_nih[label] if label in config.thresholds else None),
            with_interval(found, "sensitivity", in_percent),
            with_interval(found, "specificity", in_percent),
            with_interval(found, "ppv", in_percent),
            with_interval(found, "npv", in_percent),
        )
        for label, found in (metrics.get("findings") or {}).items()
        if label in FINDINGS
    ]
    head = ("finding", "flagged from, %", "sensitivity, %", "specificity, %", "PPV, %", "NPV, %")
    return paragraphs(
        [
            f'{_rule(config)} "No finding" is never flagged.',
            "Scores from which a finding is flagged (first column) are at NIH's prevalence, as the "
            "demo shows them; they move with the prevalence as scores do, so that what is flagged "
            "does not depend on it. PPV (flagged images that carry the label) and NPV (images not "
            f"flagged that do not) do depend on it: they are {_at(metrics)}.",
            table(head, rows) if rows else "Not measured.",
            _reasons(metrics.get("findings") or {}),
        ]
    )


def subgroups(metrics: dict[str, Any]) -> str:
    """Figures by sex, age and view, and the gaps whose interval excludes zero."""
    found = metrics.get("subgroups") or {}
    named = {
        f"{by}: {group}": figures
        for by, groups in found.items()
        if by != "gaps"
        for group, figures in (groups or {}).items()
    }
    if not named:
        return "Not measured by group."
    rows = [
        (
            name,
            count(figures.get("images")),
            count(figures.get("patients")),
            with_interval(figures, "mean_auroc"),
            with_interval(figures, "sensitivity", in_percent),
            with_interval(figures, "underdiagnosis", in_percent),
        )
        for name, figures in named.items()
    ]
    head = ("group", "images", "patients", "mean AUROC", "sensitivity, %", "nothing flagged, %")
    gaps = [gap["sentence"] for gap in found.get("gaps") or ()]
    return paragraphs(
        [
            "Mean AUROC: over the findings that the group has. Sensitivity: of all findings on its "
            "images, those flagged. Nothing flagged: of its images with a finding, those on which "
            "none was.",
            table(head, rows),
            _reasons(named),
            "Gaps between groups whose interval excludes zero:\n\n" + bullets(gaps)
            if gaps
            else "No gap between groups was found whose interval excludes zero.",
            " ".join(about.notes_on_groups(metrics)),
        ]
    )


def _on_whom(metrics: dict[str, Any]) -> str:
    if metrics.get("n_images") is None:
        return "On the test images."
    return (
        f"On {count(metrics['n_images'])} test images of {count(metrics.get('n_patients'))} "
        "patients."
    )


def _at(metrics: dict[str, Any]) -> str:
    """At which prevalence the figures are that depend on it."""
    if metrics.get("prevalence") == "nih":
        return "at NIH's prevalence, the images weighted to it"
    return "of the test images as they are, with scores at the training prevalence"


def _rule(config: Config) -> str:
    """How the thresholds were chosen."""
    rule = config.threshold_rule
    name, _, wanted = rule.partition("=")
    chosen = "Thresholds were chosen on the validation patients"
    if name == "accuracy":
        return f"{chosen}: one for all findings, where the accuracy over all labels is highest."
    how = {
        "youden": "for the highest sum of sensitivity and specificity",
        "f1": "for the highest F1 score",
        "sensitivity": f"each the highest that flags {_wanted(wanted)} of the images with the \
finding",
    }
    return (
        f"{chosen}, {how.get(name, f'by the rule `{rule}`')}. A finding without positives or "
        "negatives there is flagged above the score of 95 % of those images."
    )


def _wanted(share: str) -> str:
    return percent(float(share)) if share else ABSENT


def _mean_share(metrics: dict[str, Any]) -> float | None:
    """The average precision of an answer that knows nothing: the label's share of the images."""
    findings, images = metrics.get("findings") or {}, metrics.get("n_images")
    positives = [
        findings[label]["positives"]
        for label in FINDINGS
        if findings.get(label, {}).get("average_precision") is not None
    ]
    return sum(positives) / len(positives) / images if positives and images else None


def _reasons(named: Mapping[str, dict[str, Any]]) -> str:
    """Why figures are missing, each reason once with what it holds for."""
    holds_for: dict[str, list[str]] = {}
    for name, figures in named.items():
        if figures.get("why"):
            holds_for.setdefault(figures["why"], []).append(display(name))
    if not holds_for:
        return ""
    reasons = [f"{', '.join(names)}: {why}." for why, names in holds_for.items()]
    return "What could not be measured:\n\n" + bullets(reasons)


def _said(figure: str, of_what: str, before: str = "") -> str:
    return "" if figure == ABSENT else f"{before}{figure} {of_what}"
