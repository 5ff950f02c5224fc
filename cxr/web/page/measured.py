"""What metrics.json says of a model. It may be anybody's: what is no figure is left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.model import folder_files, model_folder
from cxr.web.page.about_words import MEASURED
from cxr.web.page.text import Text
from cxr_labels import LABELS

_LARGEST = 4 * 2**20  # bytes of metrics.json; those of training runs have some 150,000


@dataclass(frozen=True)
class Row:
    """A figure with its 95 % interval, and what answers reach that never look at the image."""

    what: Text
    value: Text
    control: Text


@dataclass(frozen=True)
class Finding:
    """What was measured of one label (NIH's spelling); None where that is not known."""

    label: str
    positives: int | None
    auroc: Text | None
    sensitivity: Text | None
    specificity: Text | None


def read(folder: Path) -> dict[str, Any]:
    """The folder's metrics.json; empty where it has none, or one that is no such file."""
    text = folder_files.text(folder, model_folder.METRICS, _LARGEST)
    try:
        metrics = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def images(metrics: Mapping[str, Any]) -> Text | None:
    """On which images the figures were measured."""
    images, patients = _count(metrics, "n_images"), _count(metrics, "n_patients")
    if images is None or patients is None:
        return None
    return MEASURED["images"].filled(images=f"{images:,}", patients=f"{patients:,}")


def headline(metrics: Mapping[str, Any]) -> list[Row]:
    """The headline figures that there are, each beside its control."""
    found, constant = "localisation", ("localisation", "controls", "constant_box")
    over = ("iou", "thresholds", "0.3")
    boxes = _count(metrics, found, "pointing", "boxes")
    rows = [
        _row(
            MEASURED["auroc"].filled(findings=str(_count(metrics, "mean_of") or 14)),
            _with_interval(metrics, "mean_auroc"),
            metadata=_share(metrics, "baselines", "metadata_only_mean_auroc"),
        ),
        _row(
            MEASURED["auroc_without"],
            _with_interval(metrics, "mean_auroc_without_pneumonia_hernia"),
        ),
        _row(
            MEASURED["pointing"].filled(boxes=f"{boxes:,}" if boxes else "-"),
            _with_interval(metrics, found, "pointing", "mean", interval="ci95"),
            place=_share(metrics, *constant, "pointing"),
        ),
        _row(
            MEASURED["overlap"],
            _with_interval(metrics, found, *over, "share", interval="ci95"),
            box=_share(metrics, *constant, *over, "share"),
        ),
        _row(
            MEASURED["calibration"],
            _with_interval(metrics, "mean_ece"),
            calibrated=_share(metrics, "mean_ece_if_calibrated"),
        ),
        _row(
            MEASURED["accuracy"],
            _with_interval(metrics, "accuracy_multi"),
            nothing=_share(metrics, "baselines", "predict_nothing"),
            no_finding=_share(metrics, "baselines", "always_no_finding"),
        ),
    ]
    return [row for row in rows if row]


def findings(metrics: Mapping[str, Any]) -> list[Finding]:
    """The labels of which anything was measured, in their order."""
    names = ("auroc", "sensitivity", "specificity")
    all_labels = [
        Finding(
            label,
            _count(metrics, "findings", label, "positives"),
            *(_with_interval(metrics, "findings", label, name) for name in names),
        )
        for label in LABELS
    ]
    return [one for one in all_labels if one.auroc or one.sensitivity or one.specificity]


def _row(what: Text, value: Text | None, **controls: float | None) -> Row | None:
    if value is None:
        return None
    known = [
        MEASURED[f"control_{name}"].filled(value=f"{share:.3f}")
        for name, share in controls.items()
        if share is not None
    ]
    control = Text(", ".join(text.en for text in known), "，".join(text.zh for text in known))
    return Row(what, value, control)


def _with_interval(
    metrics: Mapping[str, Any], *path: str, interval: str | None = None
) -> Text | None:
    """A share and its interval, which stands beside it as `interval`, or as its name and _ci95."""
    share = _share(metrics, *path)
    if share is None:
        return None
    ends = _at(metrics, *path[:-1], interval or f"{path[-1]}_ci95")
    low, high = ends if isinstance(ends, list) and len(ends) == 2 else (None, None)
    if not (_is_share(low) and _is_share(high)):
        return Text(f"{share:.3f}", f"{share:.3f}")
    return MEASURED["interval"].filled(value=f"{share:.3f}", low=f"{low:.3f}", high=f"{high:.3f}")


def _share(metrics: Mapping[str, Any], *path: str) -> float | None:
    value = _at(metrics, *path)
    return value if _is_share(value) else None


def _count(metrics: Mapping[str, Any], *path: str) -> int | None:
    value = _at(metrics, *path)
    return value if type(value) is int and 0 <= value < 10**9 else None


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # not so of nan


def _at(part: Any, *path: str) -> Any:
    """What lies at the end of the path; None where it breaks off."""
    for name in path:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part
