"""Is the model as good for women as for men, for the old as for the young, on AP as on PA images?

Per group: AUROC, sensitivity and false-negative rate at the thresholds, and the underdiagnosis
rate, the share of images with a finding on which nothing is flagged (Seyyed-Kalantari et al.,
"Underdiagnosis bias of artificial intelligence algorithms applied to chest radiographs in
under-served patient populations", 2021). Images without the column (sex, age or view unknown)
belong to no group of it.

Three bands of age: of the 2,866 images that the starter comes from 26 % are of patients under 40,
43 % of 40 to 59 and 31 % of 60 and over. Finer bands would leave most findings without positives
in a test set of that size; children (4 %) are too few for a band of their own.

Gaps are differences of two groups' figures in the same resamples of patients, so that images of one
patient in both groups (at two ages, from two views) are not taken for independent ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from cxr import machine
from cxr.evaluation import bootstrap
from cxr.evaluation.bootstrap import Resamples
from cxr_labels import DISPLAY, FINDINGS, LABELS

MIN_PATIENTS = 10  # in a group, to be measured; with a finding in both groups, to be compared

_WORDS = {
    "F": "female patients",
    "M": "male patients",
    "under 40": "patients under 40",
    "40 to 59": "patients of 40 to 59",
    "60 and over": "patients of 60 and over",
    "PA": "PA images",
    "AP": "AP images",
}
_COLUMNS = {"sex": "sex", "age": "age", "view": "view position"}
_OVERALL = ("mean_auroc", "sensitivity", "false_negative_rate", "underdiagnosis")
_OF_FINDING = ("auroc", "sensitivity", "false_negative_rate")


@dataclass(frozen=True)
class _Figure:
    """A figure in all resamples [1 + B], and the patients that it rests on."""

    drawn: np.ndarray
    patients: int

    def named(self, name: str) -> dict[str, Any]:
        value, interval = bootstrap.estimate(self.drawn, self.patients)
        return {name: value, f"{name}_ci95": interval}


_NOTHING = _Figure(np.full(2, np.nan), 0)


@dataclass(frozen=True)
class _Group:
    """What was measured on the images of one group. The dicts are by finding."""

    name: str
    images: int
    patients: int
    positives: dict[str, int]
    aurocs: dict[str, _Figure]
    sensitivities: dict[str, _Figure]
    sensitivity: _Figure
    underdiagnosis: _Figure

    @property
    def too_small(self) -> bool:
        return self.patients < MIN_PATIENTS


def measure(
    table: pd.DataFrame,
    targets: np.ndarray,
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    drawn: Resamples,
) -> tuple[dict[str, Any], list[str]]:
    """metrics.json's `subgroups`, and sentences on what was not measured and how many gaps were.

    table: columns sex, age and view, N rows. targets, probabilities: [N, 15], in whatever
    prevalence the thresholds are. drawn: `bootstrap.draw` of the images' patients.

    Sensitivity and false-negative rate of a group are over all its image-finding pairs; the gap of
    the second is that of the first and is not listed again. A finding without a threshold counts
    in AUROCs alone.
    """
    found: dict[str, Any] = {}
    gaps: list[dict[str, Any]] = []
    notes = []
    looked_at = 0
    for by, members in _members(table).items():
        known = np.logical_or.reduce(list(members.values()))
        if not known.any():
            found[by] = {}
            notes.append(
                f"The {_COLUMNS[by]} of no image is known: groups by it were not measured."
            )
            continue
        groups = [
            _measure(name, images, targets, probabilities, thresholds, drawn)
            for name, images in members.items()
        ]
        found[by] = {group.name: _figures(group) for group in groups}
        for one, other in combinations(groups, 2):
            if not (one.too_small or other.too_small):
                compared = _gaps(by, one, other)
                looked_at += len(compared)
                gaps += [gap for gap in compared if gap["ci95"][0] > 0 or gap["ci95"][1] < 0]
    found["gaps"] = gaps
    if looked_at:
        notes.append(
            f"{looked_at} gaps between groups were looked at, of which about "
            f"{max(1, round(looked_at / 20))} would exclude zero by chance alone if there were "
            f"none; {len(gaps)} did."
        )
    else:
        notes.append("No gap between groups was looked at: too few patients have a finding.")
    return found, notes


def _members(table: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """{column: {group: mask of images [N]}}."""
    age = table["age"].to_numpy(float)
    return {
        "sex": {name: (table["sex"] == name).to_numpy(bool) for name in ("F", "M")},
        "age": {
            "under 40": age < 40,
            "40 to 59": (age >= 40) & (age < 60),
            "60 and over": age >= 60,
        },
        "view": {name: (table["view"] == name).to_numpy(bool) for name in ("PA", "AP")},
    }


def _measure(
    name: str,
    images: np.ndarray,
    targets: np.ndarray,
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    everyone: Resamples,
) -> _Group:
    drawn = everyone.of(images)
    patients = everyone.patients(images)
    columns = [LABELS.index(label) for label in FINDINGS]
    carried = targets[images][:, columns].astype(bool)
    scores = probabilities[images][:, columns]
    if patients < MIN_PATIENTS:
        positives = dict(zip(FINDINGS, carried.sum(0).tolist(), strict=True))
        return _Group(name, int(images.sum()), patients, positives, {}, {}, _NOTHING, _NOTHING)
    limits = np.array([thresholds.get(label, np.nan) for label in FINDINGS])
    flagged = scores >= limits  # never where there is none
    flaggable = carried & np.isfinite(limits)
    with_finding = carried.any(1) & np.isfinite(limits).any()
    hits = flagged & carried
    counted = bootstrap.share(
        drawn,
        np.column_stack([hits, hits.sum(1), ~flagged.any(1) & with_finding]),
        np.column_stack([flaggable, flaggable.sum(1), with_finding]),
    )
    *of_finding, pairs, silent = counted.T

    def auroc(k: int) -> np.ndarray:
        return bootstrap.auroc(drawn, carried[:, k], scores[:, k])

    aurocs, sensitivities = {}, {}
    for k, drawn_auroc in enumerate(machine.in_threads(auroc, range(len(FINDINGS)))):
        owners = drawn.patients(carried[:, k])
        others = drawn.patients(~carried[:, k])
        aurocs[FINDINGS[k]] = _Figure(drawn_auroc, min(owners, others))
        sensitivities[FINDINGS[k]] = _Figure(of_finding[k], owners)
    return _Group(
        name,
        int(images.sum()),
        patients,
        dict(zip(FINDINGS, carried.sum(0).tolist(), strict=True)),
        aurocs,
        sensitivities,
        _Figure(pairs, drawn.patients(flaggable.any(1))),
        _Figure(silent, drawn.patients(with_finding)),
    )


def _figures(group: _Group) -> dict[str, Any]:
    """The group's part of metrics.json."""
    figures: dict[str, Any] = {"images": group.images, "patients": group.patients}
    figures |= _mean_auroc(list(group.aurocs.values())).named("mean_auroc")
    figures |= group.sensitivity.named("sensitivity")
    figures |= _missed(group.sensitivity).named("false_negative_rate")
    figures |= group.underdiagnosis.named("underdiagnosis")
    findings = {}
    for label in FINDINGS:
        sensitivity = group.sensitivities.get(label, _NOTHING)
        findings[label] = {
            "positives": group.positives[label],
            **group.aurocs.get(label, _NOTHING).named("auroc"),
            **sensitivity.named("sensitivity"),
            **_missed(sensitivity).named("false_negative_rate"),
        }
    figures["findings"] = findings
    why = _why(group, figures)
    return figures | ({"why": why} if why else {})


def _why(group: _Group, figures: dict[str, Any]) -> str:
    if not group.images:
        return "no image is of this group"
    if group.too_small:
        return f"{group.patients} patients are too few, it takes {MIN_PATIENTS}"
    if not any(group.positives.values()):
        return "no image of this group carries a finding"
    if figures["mean_auroc"] is None:
        return "every image of this group carries the same findings"
    missing = [name for name in FINDINGS if group.positives[name] == 0]
    return f"no image of this group carries {', '.join(missing)}" if missing else ""


def _gaps(by: str, one: _Group, other: _Group) -> list[dict[str, Any]]:
    """Every gap between two groups that has an interval, with its sentence."""
    both = [
        label
        for label in FINDINGS
        if np.isfinite(one.aurocs[label].drawn[0]) and np.isfinite(other.aurocs[label].drawn[0])
    ]
    pairs: list[tuple[str, str | None, _Figure, _Figure]] = [
        ("mean_auroc", None, *_aligned(one, other, both)),
        ("sensitivity", None, one.sensitivity, other.sensitivity),
        ("underdiagnosis", None, one.underdiagnosis, other.underdiagnosis),
    ]
    for name in both:
        pairs.append(("auroc", name, one.aurocs[name], other.aurocs[name]))
        pairs.append(("sensitivity", name, one.sensitivities[name], other.sensitivities[name]))
    gaps = []
    for figure, label, here, there in pairs:
        if min(here.patients, there.patients) < MIN_PATIENTS:
            continue
        value, interval = bootstrap.difference(
            here.drawn, there.drawn, (here.patients, there.patients)
        )
        if value is not None and interval is not None:
            gap: dict[str, Any] = {"by": by, "groups": [one.name, other.name]}
            gap |= {"figure": figure, "label": label}
            gap |= {"difference": value, "ci95": interval}
            levels = (float(here.drawn[0]), float(there.drawn[0]))
            gaps.append(gap | {"sentence": _sentence(gap, levels)})
    return gaps


def _sentence(gap: dict[str, Any], levels: tuple[float, float]) -> str:
    """The gap in words; the difference is given without its sign."""
    one, other = (_WORDS[name] for name in gap["groups"])
    low, high = sorted(gap["ci95"]) if gap["difference"] >= 0 else sorted(-v for v in gap["ci95"])
    finding = DISPLAY.get(gap["label"] or "", "").lower()
    if gap["figure"] in ("mean_auroc", "auroc"):
        what = f"AUROC of {finding}" if finding else "mean AUROC"
        return (
            f"The {what} is {levels[0]:.3f} for {one} and {levels[1]:.3f} for {other} "
            f"(difference {abs(gap['difference']):.3f}, 95 % {low:.3f} to {high:.3f})."
        )
    if gap["figure"] == "underdiagnosis":
        what = "Of images that carry a finding, nothing was flagged on"
    elif finding:
        what = f"Of images that carry {finding}, it was flagged on"
    else:
        what = "Of all findings on the images, those flagged were"
    return (
        f"{what} {100 * levels[0]:.0f} % for {one} and {100 * levels[1]:.0f} % for {other} "
        f"(difference {100 * abs(gap['difference']):.0f} points, "
        f"95 % {100 * low:.0f} to {100 * high:.0f})."
    )


def _aligned(one: _Group, other: _Group, labels: Sequence[str]) -> tuple[_Figure, _Figure]:
    """Mean AUROC of both groups over the findings that, in a resample, both define."""
    here, there = [], []
    for label in labels:
        a, b = one.aurocs[label], other.aurocs[label]
        defined = np.isfinite(a.drawn + b.drawn)
        here.append(_Figure(np.where(defined, a.drawn, np.nan), a.patients))
        there.append(_Figure(np.where(defined, b.drawn, np.nan), b.patients))
    return _mean_auroc(here), _mean_auroc(there)


def _mean_auroc(aurocs: Sequence[_Figure]) -> _Figure:
    """Mean over the findings with a value; it rests on the patients of all of them."""
    defined = [figure for figure in aurocs if np.isfinite(figure.drawn[0])]
    if not defined:
        return _NOTHING
    drawn = bootstrap.mean([figure.drawn for figure in defined])
    return _Figure(drawn, sum(figure.patients for figure in defined))


def _missed(sensitivity: _Figure) -> _Figure:
    return _Figure(1 - sensitivity.drawn, sensitivity.patients)
