"""Metrics in full, without measuring anything, and the images that they could be of."""

from typing import Any

import numpy as np

from cxr.model.metrics import (
    AsMeasured,
    Baselines,
    Bin,
    Estimate,
    Finding,
    Gap,
    Group,
    GroupFinding,
    InputCheck,
    Localisation,
    Located,
    LocatedEach,
    Metrics,
    Overlap,
    Subgroups,
)
from cxr_labels import FINDINGS, LABELS

SHARES = np.linspace(0.05, 0.3, len(LABELS))
LEVELS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7")


def images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities [count, 15] of a model that knows a little."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, len(LABELS))) < SHARES).astype(np.uint8)
    logits = rng.normal(1.5 * targets + np.log(SHARES), 1.0)
    return targets, 1 / (1 + np.exp(-logits))


def full(**changed: Any) -> Metrics:
    """Every metric defined, and no two alike."""
    draw = _Draw()
    metrics = Metrics(
        n_images=1543,
        n_patients=320,
        split="patient",
        prevalence="nih",
        notes=["Left out: 2,323 images of patients that the model was trained on."],
        findings={label: _finding(draw, label) for label in LABELS},
        mean_auroc=draw.estimate(),
        mean_of=14,
        mean_auroc_without_pneumonia_hernia=draw.estimate(),
        mean_average_precision=draw.estimate(),
        mean_ece=draw.estimate(),
        mean_ece_if_calibrated=draw(),
        mean_brier=draw(),
        accuracy_multi=draw(),
        accuracy_threshold=draw(),
        baselines=Baselines(
            predict_nothing=draw(), always_no_finding=draw(), metadata_only_mean_auroc=draw()
        ),
        subgroups=Subgroups(
            sex={"F": _group(draw, 701), "M": _group(draw, 842)},
            age={"below 40": _group(draw, 411), "40 to 65": _group(draw, 1132)},
            view={"AP": _group(draw, 603), "PA": _group(draw, 940)},
            gaps=[
                Gap(
                    by="sex",
                    groups=("F", "M"),
                    metric="mean_auroc",
                    label=None,
                    difference=0.1,
                    ci95=(0.05, 0.15),
                    sentence="The mean AUROC of F lies 0.100 above that of M (0.050 to 0.150).",
                )
            ],
        ),
        localisation=Localisation(
            heatmaps=_located_each(draw),
            constant_box=_located_each(draw),
            random_map=_located_each(draw),
        ),
        input_check=InputCheck(images=1550, rejected=7, warned=31),
    )
    return metrics.model_copy(update=changed)


def nothing() -> Metrics:
    """Metrics of a single image without a finding: all that can be undefined is."""

    def finding(label: str) -> Finding:
        return Finding(
            positives=0,
            threshold=0.2 if label in FINDINGS else None,
            as_measured=AsMeasured(share=0.0, brier=0.04, ece=0.2),
            why="no image carries it",
        )

    group = Group(
        images=0,
        patients=0,
        findings={label: GroupFinding(positives=0) for label in FINDINGS},
        why="no image is of this group",
    )
    return Metrics(
        n_images=1,
        n_patients=1,
        split="patient",
        prevalence="nih",
        notes=["Nothing could be told apart: no image carries a finding."],
        findings={label: finding(label) for label in LABELS},
        mean_auroc=None,
        mean_of=0,
        mean_auroc_without_pneumonia_hernia=None,
        mean_average_precision=None,
        mean_ece=None,
        mean_ece_if_calibrated=None,
        mean_brier=None,
        accuracy_multi=1.0,
        accuracy_threshold=0.5,
        baselines=Baselines(predict_nothing=1.0, always_no_finding=0.9),
        subgroups=Subgroups(
            sex={"F": group, "M": group}, age={"below 40": group}, view={"AP": group, "PA": group}
        ),
    )


class _Draw:
    """Numbers between 0.1 and 0.9, none of which comes twice at three digits."""

    def __init__(self) -> None:
        self._rest = list(np.random.default_rng(0).permutation(np.arange(100_000, 900_000, 7)))

    def __call__(self) -> float:
        return float(self._rest.pop()) / 1_000_000

    def estimate(self) -> Estimate:
        low, value, high = sorted((self(), self(), self()))
        return Estimate(value=value, ci95=(low, high))


def _finding(draw: _Draw, label: str) -> Finding:
    flagged = label in FINDINGS
    predicted = np.sort([draw() for _ in range(15)]) / 4
    return Finding(
        positives=30 + LABELS.index(label),
        auroc=draw.estimate(),
        average_precision=draw.estimate(),
        brier=draw(),
        ece=draw.estimate(),
        ece_if_calibrated=draw(),
        threshold=draw() if flagged else None,
        sensitivity=draw.estimate() if flagged else None,
        specificity=draw.estimate() if flagged else None,
        ppv=draw.estimate() if flagged else None,
        npv=draw.estimate() if flagged else None,
        as_measured=AsMeasured(
            share=draw(),
            brier=draw(),
            ece=draw(),
            ppv=draw() if flagged else None,
            npv=draw() if flagged else None,
        ),
        reliability=[
            Bin(predicted=float(p), observed=float(p * (0.7 + 0.6 * draw())), weight=draw())
            for p in predicted
        ],
        why="" if flagged else "it is never flagged",
    )


def _group(draw: _Draw, count: int) -> Group:
    return Group(
        images=count,
        patients=count // 2,
        mean_auroc=draw.estimate(),
        sensitivity=draw.estimate(),
        false_negative_rate=draw.estimate(),
        underdiagnosis=draw.estimate(),
        findings={
            label: GroupFinding(
                positives=count // 10 + k,
                auroc=draw.estimate(),
                sensitivity=draw.estimate(),
                false_negative_rate=draw.estimate(),
            )
            for k, label in enumerate(FINDINGS)
        },
    )


def _located_each(draw: _Draw) -> LocatedEach:
    findings = {label: _located(draw, 10 + k) for k, label in enumerate(FINDINGS[:8])}
    return LocatedEach(**dict(_located(draw, 151)), findings=findings)


def _located(draw: _Draw, boxes: int) -> Located:
    iou, iobb = (
        Overlap(mean=draw.estimate(), above={level: draw.estimate() for level in LEVELS})
        for _ in range(2)
    )
    return Located(boxes=boxes, pointing=draw.estimate(), iou=iou, iobb=iobb)
