"""Is the model as good for women as for men, for old as for young patients, on AP as on PA images?

Per group: AUROC, sensitivity and false-negative rate at the thresholds, and the underdiagnosis
rate, the share of images with a finding on which nothing is flagged (Seyyed-Kalantari et al.,
"Underdiagnosis bias of artificial intelligence algorithms applied to chest radiographs in
under-served patient populations", 2021). Images of unknown sex, age or view belong to no group by
that column.

There are three age groups. Of the 2,866 images behind the starter, 26 % are of patients under 40,
43 % of 40 to 59 and 31 % of 60 and over. Finer groups would leave most findings without positives
in a test set of that size, and children (4 %) are too few for a group of their own.

Gaps are differences of two groups' metrics in the same resamples of patients. Images of one patient
may be in both groups (at two ages, from two views) and are not taken for independent ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cxr import machine
from cxr.evaluation import bootstrap
from cxr.evaluation.bootstrap import Resamples
from cxr.model.metrics import Estimate, Gap, Group, GroupFinding, Subgroups
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


@dataclass(frozen=True)
class _Metric:
    """A metric in all resamples [1 + B], and the number of patients that it rests on."""

    drawn: np.ndarray
    patients: int

    def estimate(self) -> Estimate | None:
        return bootstrap.estimate(self.drawn, self.patients)

    def complement(self) -> "_Metric":
        return _Metric(1 - self.drawn, self.patients)


_UNDEFINED = _Metric(np.full(2, np.nan), 0)


@dataclass(frozen=True)
class _Group:
    """What was measured on the images of one group; the dicts are empty if it is too small."""

    name: str
    images: int
    patients: int
    positives: dict[str, int]
    aurocs: dict[str, _Metric]
    sensitivities: dict[str, _Metric]
    sensitivity: _Metric = _UNDEFINED
    underdiagnosis: _Metric = _UNDEFINED


def compute(
    table: pd.DataFrame,
    targets: np.ndarray,
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    drawn: Resamples,
) -> tuple[Subgroups, list[str]]:
    """The metrics of all groups, and their gaps.

    Sensitivity and false-negative rate of a group are over all its pairs of an image and a
    finding. A gap in the second is a gap in the first and is not listed again. A finding without a
    threshold counts in the AUROCs only.

    Args:
        table: Columns sex, age and view, N rows.
        targets: 0 or 1, [N, 15].
        probabilities: At the prevalence of the thresholds, [N, 15].
        thresholds: {finding: threshold}.
        drawn: Resamples of the images' patients.

    Returns:
        The groups, and notes on what was not measured and on how many gaps were examined.
    """
    groups: dict[str, dict[str, Group]] = {}
    compared: list[Gap] = []
    notes = []
    for by, members in _members(table).items():
        if not np.any(list(members.values())):
            groups[by] = {}
            notes.append(
                f"The {_COLUMNS[by]} of no image is known: groups by it were not measured."
            )
            continue
        measured = [
            _measure(name, images, targets, probabilities, thresholds, drawn)
            for name, images in members.items()
        ]
        groups[by] = {group.name: _group(group) for group in measured}
        large = [group for group in measured if group.patients >= MIN_PATIENTS]
        for one, other in combinations(large, 2):
            compared += _gaps(by, one, other)
    gaps = [gap for gap in compared if gap.ci95[0] > 0 or gap.ci95[1] < 0]
    if compared:
        notes.append(
            f"{len(compared)} gaps between groups were examined. About "
            f"{max(1, round(len(compared) / 20))} would exclude zero by chance alone; "
            f"{len(gaps)} did."
        )
    else:
        notes.append("No gap between groups was examined: too few patients have a finding.")
    return Subgroups(**groups, gaps=gaps), notes


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
    places = [LABELS.index(label) for label in FINDINGS]
    carried, scores = targets[images][:, places].astype(bool), probabilities[images][:, places]
    positives = dict(zip(FINDINGS, carried.sum(0).tolist(), strict=True))
    count, patients = int(images.sum()), drawn.patients()
    if patients < MIN_PATIENTS:
        return _Group(name, count, patients, positives, {}, {})
    limits = np.array([thresholds.get(label, np.nan) for label in FINDINGS])
    flagged = scores >= limits  # nowhere without a threshold
    flaggable = carried & np.isfinite(limits)
    with_finding = carried.any(1) & np.isfinite(limits).any()
    hits = flagged & carried
    *of_finding, pairs, silent = bootstrap.share(
        drawn,
        np.column_stack([hits, hits.sum(1), ~flagged.any(1) & with_finding]),
        np.column_stack([flaggable, flaggable.sum(1), with_finding]),
    ).T

    def auroc(k: int) -> _Metric:
        patients = min(drawn.patients(carried[:, k]), drawn.patients(~carried[:, k]))
        return _Metric(bootstrap.ranking(drawn, carried[:, k], scores[:, k])[0], patients)

    return _Group(
        name,
        count,
        patients,
        positives,
        dict(zip(FINDINGS, machine.in_threads(auroc, range(len(FINDINGS))), strict=True)),
        {
            label: _Metric(of_finding[k], drawn.patients(carried[:, k]))
            for k, label in enumerate(FINDINGS)
        },
        _Metric(pairs, drawn.patients(flaggable.any(1))),
        _Metric(silent, drawn.patients(with_finding)),
    )


def _group(group: _Group) -> Group:
    """The group's part of the metrics."""

    def finding(label: str) -> GroupFinding:
        sensitivity = group.sensitivities.get(label, _UNDEFINED)
        return GroupFinding(
            positives=group.positives[label],
            auroc=group.aurocs.get(label, _UNDEFINED).estimate(),
            sensitivity=sensitivity.estimate(),
            false_negative_rate=sensitivity.complement().estimate(),
        )

    mean_auroc = _mean(group.aurocs.values()).estimate()
    return Group(
        images=group.images,
        patients=group.patients,
        mean_auroc=mean_auroc,
        sensitivity=group.sensitivity.estimate(),
        false_negative_rate=group.sensitivity.complement().estimate(),
        underdiagnosis=group.underdiagnosis.estimate(),
        findings={label: finding(label) for label in FINDINGS},
        why=_why(group, mean_auroc),
    )


def _why(group: _Group, mean_auroc: Estimate | None) -> str:
    """Why metrics of the group are None."""
    if not group.images:
        return "no image is of this group"
    if group.patients < MIN_PATIENTS:
        return f"{group.patients} patients are too few, it takes {MIN_PATIENTS}"
    if not any(group.positives.values()):
        return "no image of this group carries a finding"
    if mean_auroc is None:
        return "every image of this group carries the same findings"
    missing = [name for name in FINDINGS if group.positives[name] == 0]
    return f"no image of this group carries {', '.join(missing)}" if missing else ""


def _gaps(by: str, one: _Group, other: _Group) -> list[Gap]:
    """Every gap between two groups that has an interval."""
    both = [
        label
        for label in FINDINGS
        if np.isfinite(one.aurocs[label].drawn[0] + other.aurocs[label].drawn[0])
    ]
    pairs: list[tuple[str, str | None, _Metric, _Metric]] = [
        ("mean_auroc", None, *_comparable_means(one, other, both)),
        ("sensitivity", None, one.sensitivity, other.sensitivity),
        ("underdiagnosis", None, one.underdiagnosis, other.underdiagnosis),
    ]
    for k in both:
        pairs.append(("auroc", k, one.aurocs[k], other.aurocs[k]))
        pairs.append(("sensitivity", k, one.sensitivities[k], other.sensitivities[k]))
    gaps = []
    for metric, label, here, there in pairs:
        patients = here.patients, there.patients
        if min(patients) < MIN_PATIENTS:
            continue
        found = bootstrap.difference(here.drawn, there.drawn, patients)
        if found is not None:
            levels = (float(here.drawn[0]), float(there.drawn[0]))
            gaps.append(
                Gap(
                    by=by,
                    groups=(one.name, other.name),
                    metric=metric,
                    label=label,
                    difference=found[0],
                    ci95=found[1],
                    sentence=_sentence(metric, label, (one.name, other.name), levels, *found),
                )
            )
    return gaps


def _sentence(
    metric: str,
    label: str | None,
    groups: tuple[str, str],
    levels: tuple[float, float],
    difference: float,
    ci95: tuple[float, float],
) -> str:
    """The gap in words, without the sign of the difference."""
    one, other = (_WORDS[name] for name in groups)
    low, high = sorted(ci95) if difference >= 0 else sorted(-end for end in ci95)
    finding = DISPLAY[label].lower() if label else ""
    if metric in ("mean_auroc", "auroc"):
        what = f"AUROC of {finding}" if finding else "mean AUROC"
        return (
            f"The {what} is {levels[0]:.3f} for {one} and {levels[1]:.3f} for {other} "
            f"(difference {abs(difference):.3f}, 95 % {low:.3f} to {high:.3f})."
        )
    if metric == "underdiagnosis":
        what = "Of images that carry a finding, nothing was flagged on"
    elif finding:
        what = f"Of images that carry {finding}, it was flagged on"
    else:
        what = "Of all findings on the images, those flagged were"
    return (
        f"{what} {100 * levels[0]:.0f} % for {one} and {100 * levels[1]:.0f} % for {other} "
        f"(difference {100 * abs(difference):.0f} points, "
        f"95 % {100 * low:.0f} to {100 * high:.0f})."
    )


def _comparable_means(one: _Group, other: _Group, labels: Iterable[str]) -> tuple[_Metric, _Metric]:
    """Mean AUROC of both groups over the findings that both define in a resample."""
    here, there = [], []
    for label in labels:
        a, b = one.aurocs[label], other.aurocs[label]
        defined = np.isfinite(a.drawn + b.drawn)
        here.append(_Metric(np.where(defined, a.drawn, np.nan), a.patients))
        there.append(_Metric(np.where(defined, b.drawn, np.nan), b.patients))
    return _mean(here), _mean(there)


def _mean(metrics: Iterable[_Metric]) -> _Metric:
    """Mean over the metrics with a value; it rests on the patients of all of them."""
    defined = [metric for metric in metrics if np.isfinite(metric.drawn[0])]
    if not defined:
        return _UNDEFINED
    drawn = bootstrap.mean([metric.drawn for metric in defined])
    return _Metric(drawn, sum(metric.patients for metric in defined))
