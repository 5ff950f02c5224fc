"""The tables of the About tab: the metrics of a model, beside predictions without the image."""

from dataclasses import dataclass

from cxr.model.metrics import Estimate, Metrics
from cxr.web.page.about_words import MEASURED
from cxr.web.page.text import Text
from cxr_labels import LABELS


@dataclass(frozen=True)
class Row:
    """A metric with its 95 % interval, and what predictions reach that never use the image."""

    what: Text
    value: Text
    control: Text


@dataclass(frozen=True)
class FindingRow:
    """What was measured of one label (NIH's spelling)."""

    label: str
    positives: int
    auroc: Text
    sensitivity: Text
    specificity: Text


def images(metrics: Metrics) -> Text:
    """On which images the metrics were measured."""
    return MEASURED["images"].filled(
        images=f"{metrics.n_images:,}", patients=f"{metrics.n_patients:,}"
    )


def headline(metrics: Metrics) -> list[Row]:
    """The main metrics that are defined, each beside its control."""
    floor, located = metrics.baselines, metrics.localisation
    rows = [
        _row(
            MEASURED["auroc"].filled(findings=str(metrics.mean_of)),
            metrics.mean_auroc,
            metadata=floor.metadata_only_mean_auroc,
        ),
        _row(MEASURED["auroc_without"], metrics.mean_auroc_without_pneumonia_hernia),
        _row(MEASURED["calibration"], metrics.mean_ece, calibrated=metrics.mean_ece_if_calibrated),
        _row(
            MEASURED["accuracy"],
            Estimate(value=metrics.accuracy_multi),
            nothing=floor.predict_nothing,
            no_finding=floor.always_no_finding,
        ),
    ]
    if located:
        model, constant = located.heatmaps, located.constant_box
        rows[2:2] = [
            _row(
                MEASURED["pointing"].filled(boxes=f"{model.boxes:,}"),
                model.pointing,
                place=constant.pointing.value,
            ),
            _row(
                MEASURED["overlap"],
                model.overlap,
                box=constant.overlap.value if constant.overlap else None,
            ),
        ]
    return [row for row in rows if row]


def findings(metrics: Metrics) -> list[FindingRow]:
    """The labels of which anything was measured, in their order."""
    found = ((label, metrics.findings.get(label)) for label in LABELS)
    return [
        FindingRow(
            label, of.positives, _text(of.auroc), _text(of.sensitivity), _text(of.specificity)
        )
        for label, of in found
        if of and (of.auroc or of.sensitivity or of.specificity)
    ]


def _row(what: Text, value: Estimate | None, **controls: float | None) -> Row | None:
    if value is None:
        return None
    known = [
        MEASURED[f"control_{name}"].filled(value=f"{share:.3f}")
        for name, share in controls.items()
        if share is not None
    ]
    control = Text(", ".join(text.en for text in known), "，".join(text.zh for text in known))
    return Row(what, _text(value), control)


def _text(found: Estimate | None) -> Text:
    """A metric with its interval."""
    if found is None:
        return Text("–", "–")
    value = f"{found.value:.3f}"
    if found.ci95 is None:
        return Text(value, value)
    low, high = (f"{end:.3f}" for end in found.ci95)
    return MEASURED["interval"].filled(value=value, low=low, high=high)
