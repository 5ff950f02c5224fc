"""A metrics.json in full, without measuring anything, and the images that it could be of."""

from typing import Any

import numpy as np

from cxr_labels import FINDINGS, LABELS

SHARES = np.linspace(0.05, 0.3, len(LABELS))
LEVELS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7")
INTERVALS = ("auroc", "average_precision", "ece", "sensitivity", "specificity", "ppv", "npv")


def images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities [count, 15] of a model that knows a little."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, len(LABELS))) < SHARES).astype(np.uint8)
    logits = rng.normal(1.5 * targets + np.log(SHARES), 1.0)
    return targets, 1 / (1 + np.exp(-logits))


def full(seed: int = 0) -> dict[str, Any]:
    """Every figure of the contract defined, and no two alike."""
    draw = _Draw(seed)
    return {
        "n_images": 1543,
        "n_patients": 320,
        "split": "patient",
        "prevalence": "nih",
        "notes": ["Left out: 2,323 images of patients that the model was trained on."],
        "findings": {label: _finding(draw, label) for label in LABELS},
        **draw.with_interval("mean_auroc"),
        "mean_of": 14,
        **draw.with_interval("mean_auroc_without_pneumonia_hernia"),
        **draw.with_interval("mean_average_precision"),
        **draw.with_interval("mean_ece"),
        "mean_ece_if_calibrated": draw(),
        "mean_brier": draw(),
        "accuracy_multi": draw(),
        "accuracy_threshold": draw(),
        "baselines": {
            "predict_nothing": draw(),
            "always_no_finding": draw(),
            "metadata_only_mean_auroc": draw(),
        },
        "reliability": {label: _bins(draw) for label in LABELS},
        "subgroups": {
            "sex": {"F": _group(draw, 701), "M": _group(draw, 842)},
            "age": {"below 40": _group(draw, 411), "40 to 65": _group(draw, 1132)},
            "view": {"AP": _group(draw, 603), "PA": _group(draw, 940)},
            "gaps": [
                {
                    "by": "sex",
                    "groups": ["F", "M"],
                    "figure": "mean_auroc",
                    "label": None,
                    "difference": 0.1,
                    "ci95": [0.05, 0.15],
                    "sentence": "The mean AUROC of F lies 0.100 above that of M (0.050 to 0.150).",
                }
            ],
        },
        "localisation": {
            "pointing": {
                "mean": draw(),
                "ci95": draw.interval(),
                "boxes": 151,
                "findings": {
                    label: {"pointing": draw(), "boxes": 10 + k}
                    for k, label in enumerate(FINDINGS[:8])
                },
            },
            "iou": _overlap(draw, "mean_iou"),
            "iobb": _overlap(draw, "mean_iobb"),
            "controls": {
                "constant_box": {**_control(draw), "findings": _control_by_finding(draw)},
                "random_map": _control(draw),
            },
        },
        "input_check": {
            "images": 1550,
            "rejected": 7,
            "warned": 31,
            "rejected_share": draw(),
            "warned_share": draw(),
        },
    }


def nothing() -> dict[str, Any]:
    """The same of a single image without a finding: what can be undefined is."""
    metrics = _emptied(full())
    metrics |= {"n_images": 1, "n_patients": 1, "split": "patient", "prevalence": "nih"}
    metrics["mean_of"] = 0
    metrics["notes"] = ["Nothing could be told apart: no image carries a finding."]
    for label, found in metrics["findings"].items():
        found |= {"positives": 0, "threshold": 0.2 if label in FINDINGS else None}
        found["why"] = "no image carries it"
    metrics["reliability"] = {label: [] for label in LABELS}
    metrics["baselines"] |= {"predict_nothing": 1.0, "always_no_finding": 0.9}
    metrics["subgroups"]["gaps"] = []
    for by in ("sex", "age", "view"):
        for group in metrics["subgroups"][by].values():
            group |= {"images": 0, "patients": 0, "why": "no image is of this group"}
    del metrics["localisation"], metrics["input_check"]
    return metrics


class _Draw:
    """Numbers between 0.1 and 0.9, none of which comes twice at three digits."""

    def __init__(self, seed: int) -> None:
        self._rest = list(np.random.default_rng(seed).permutation(np.arange(100_000, 900_000, 7)))

    def __call__(self) -> float:
        return float(self._rest.pop()) / 1_000_000

    def interval(self) -> list[float]:
        return sorted((self(), self()))

    def with_interval(self, name: str) -> dict[str, Any]:
        low, value, high = sorted((self(), self(), self()))
        return {name: value, f"{name}_ci95": [low, high]}


def _finding(draw: _Draw, label: str) -> dict[str, Any]:
    found: dict[str, Any] = {"positives": 30 + LABELS.index(label), "brier": draw()}
    found["ece_if_calibrated"] = draw()
    for name in INTERVALS:
        found |= draw.with_interval(name)
    found["threshold"] = draw()
    found["as_measured"] = {name: draw() for name in ("share", "brier", "ece", "ppv", "npv")}
    if label not in FINDINGS:  # it is never flagged
        for name in ("sensitivity", "specificity", "ppv", "npv"):
            found |= {name: None, f"{name}_ci95": None}
        found["threshold"] = None
        found["as_measured"] |= {"ppv": None, "npv": None}
        found["why"] = "it is never flagged"
    return found


def _bins(draw: _Draw) -> list[dict[str, float]]:
    predicted = np.sort([draw() for _ in range(15)]) / 4
    return [
        {"predicted": float(p), "observed": float(p * (0.7 + 0.6 * draw())), "weight": draw()}
        for p in predicted
    ]


def _group(draw: _Draw, count: int) -> dict[str, Any]:
    group: dict[str, Any] = {"images": count, "patients": count // 2}
    for name in ("mean_auroc", "sensitivity", "false_negative_rate", "underdiagnosis"):
        group |= draw.with_interval(name)
    group["findings"] = {
        label: {
            "positives": 10,
            **draw.with_interval("auroc"),
            **draw.with_interval("sensitivity"),
            **draw.with_interval("false_negative_rate"),
        }
        for label in FINDINGS
    }
    return group


def _overlap(draw: _Draw, mean: str) -> dict[str, Any]:
    return {
        mean: draw(),
        "thresholds": {level: {"share": draw(), "ci95": draw.interval()} for level in LEVELS},
        "findings": {
            label: {mean: draw(), "boxes": 10 + k, "thresholds": {}}
            for k, label in enumerate(FINDINGS[:8])
        },
    }


def _control(draw: _Draw) -> dict[str, Any]:
    return {
        "pointing": draw(),
        "ci95": draw.interval(),
        "iou": _overlap(draw, "mean_iou"),
        "iobb": _overlap(draw, "mean_iobb"),
    }


def _control_by_finding(draw: _Draw) -> dict[str, Any]:
    return {
        label: {"pointing": draw(), "boxes": 10 + k, "mean_iou": draw()}
        for k, label in enumerate(FINDINGS[:8])
    }


def _emptied(part: Any) -> Any:
    """The same with None for every number and interval."""
    if isinstance(part, dict):
        return {key: _emptied(value) for key, value in part.items()}
    return part if isinstance(part, str) else None
