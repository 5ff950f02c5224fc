"""Groups by sex, age and view: planted gaps are found, chance is not made much of."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from cxr.evaluation import bootstrap, scoring, subgroups
from cxr_labels import DISPLAY, FINDINGS, LABELS

THRESHOLD = 0.3
OVERALL = ("mean_auroc", "sensitivity", "false_negative_rate", "underdiagnosis")


def images(seed, patients=150, share=0.25):
    """Table, targets and probabilities of images of patients with two each, all groups alike."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), 2)
    table = pd.DataFrame(
        {
            "patient": owner,
            "sex": rng.choice(["F", "M"], patients)[owner],
            "age": rng.integers(10, 90, patients)[owner].astype(float),
            "view": rng.choice(["PA", "AP"], len(owner)),
        }
    )
    targets = (rng.random((len(owner), len(LABELS))) < share).astype(np.uint8)
    targets[:, -1] = ~targets[:, :-1].any(1)
    logits = rng.normal(2.0 * targets, 1.0) - 1.5 + 0.7 * rng.normal(0, 1, patients)[owner, None]
    return table, targets, 1 / (1 + np.exp(-logits))


def measure(table, targets, probabilities, resamples=200, thresholds=None):
    """The subgroups and the notes; strict JSON, and no warning of NumPy."""
    chosen = dict.fromkeys(FINDINGS, THRESHOLD) if thresholds is None else thresholds
    drawn = bootstrap.draw(table["patient"].to_numpy(), resamples=resamples)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, notes = subgroups.compute(table, targets, probabilities, chosen, drawn)
    json.dumps(found.model_dump(), allow_nan=False)
    return found, notes


def test_figures_of_a_group_are_those_of_its_images():
    """AUROC, sensitivity and underdiagnosis of women equal those counted on their images alone.

    A probability that equals the threshold is flagged.
    """
    table, targets, probabilities = images(0)
    probabilities = np.round(probabilities, 1)
    found = measure(table, targets, probabilities)[0].sex["F"]
    women = (table["sex"] == "F").to_numpy()
    carried, flagged = targets[women, :14] == 1, probabilities[women, :14] >= THRESHOLD
    assert (found.images, found.patients) == (women.sum(), women.sum() / 2)
    assert found.mean_auroc.value == pytest.approx(
        scoring.mean_auroc(targets[women, :14], probabilities[women, :14])
    )
    assert found.sensitivity.value == pytest.approx(flagged[carried].mean())
    assert found.false_negative_rate.value == pytest.approx(1 - flagged[carried].mean())
    silent = ~flagged.any(1)[carried.any(1)]
    assert found.underdiagnosis.value == pytest.approx(silent.mean())
    for k, label in enumerate(FINDINGS):
        one, hit = found.findings[label], flagged[:, k][carried[:, k]].mean()
        assert one.positives == carried[:, k].sum()
        assert one.sensitivity.value == pytest.approx(hit)
        assert one.false_negative_rate.value == pytest.approx(1 - hit)
        auroc = scoring.auroc(targets[women, k], probabilities[women, k])
        assert one.auroc.value == pytest.approx(auroc)
    for name in OVERALL:
        one = getattr(found, name)
        assert one.ci95[0] <= one.value <= one.ci95[1]


def test_flawless_flags_have_wilsons_interval_over_the_patients_with_a_finding():
    """Of 12 women, 10 carry mass and 5 carry edema, on one of their two images each."""
    table, targets, probabilities = images(0, patients=24)
    table["sex"] = np.where(table["patient"] < 12, "F", "M")
    targets[:24, :14] = 0
    targets[0:20:2, 4] = targets[0:10:2, 9] = 1
    probabilities[:24] = 0.9 * targets[:24]
    women = measure(table, targets, probabilities)[0].sex["F"]
    for found, patients in (
        (women.findings["Mass"].sensitivity, 10),
        (women.findings["Edema"].sensitivity, 5),
        (women.sensitivity, 10),
    ):
        assert found.value == 1
        assert found.ci95 == pytest.approx(bootstrap.wilson(1.0, patients))
    assert women.underdiagnosis.ci95 == pytest.approx(bootstrap.wilson(0.0, 10))
    assert women.findings["Mass"].false_negative_rate.ci95 == pytest.approx(
        bootstrap.wilson(0.0, 10)
    )


@pytest.mark.parametrize(("patients", "compared"), [(9, False), (10, True)])
def test_gap_needs_ten_patients_with_the_finding_in_both_groups(patients, compared):
    """Effusion is ranked rightly in all men and wrongly in a few women."""
    table, targets, probabilities = images(0)
    k, women = LABELS.index("Effusion"), (table["sex"] == "F").to_numpy()
    few = np.unique(table["patient"][women])[:patients]
    targets[women, k] = table["patient"][women].isin(few)
    probabilities[:, k] = np.where(women, 1 - 0.9 * targets[:, k], 0.1 + 0.8 * targets[:, k])
    gaps = measure(table, targets, probabilities)[0].gaps
    found = {g.metric for g in gaps if (g.by, g.label) == ("sex", "Effusion")}
    assert found == ({"auroc", "sensitivity"} if compared else set())


def test_every_gap_is_that_of_its_two_groups_and_says_so():
    """Difference and sentence of each gap are made from the metrics of the groups it names."""
    table, targets, probabilities = images(0, share=0.4)
    ap, old = (table["view"] == "AP").to_numpy(), (table["age"] >= 60).to_numpy()
    probabilities[ap, 2] = np.random.default_rng(0).random(ap.sum())
    probabilities[old] *= 0.2
    found, notes = measure(table, targets, probabilities)
    words = {"PA": "PA images", "AP": "AP images", "F": "female patients", "M": "male patients"}
    words |= {"40 to 59": "patients of 40 to 59", "60 and over": "patients of 60 and over"}
    words |= {"under 40": "patients under 40"}
    starts = {
        "mean_auroc": "The mean AUROC is ",
        "auroc": "The AUROC of {} is ",
        "underdiagnosis": "Of images that carry a finding, nothing was flagged on ",
    }
    for gap in found.gaps:
        pair = [found.by()[gap.by][name] for name in gap.groups]
        parts = [group.findings[gap.label] for group in pair] if gap.label else pair
        one, other = (getattr(part, gap.metric).value for part in parts)
        assert gap.difference == pytest.approx(one - other)
        assert gap.ci95[0] <= gap.difference <= gap.ci95[1]
        assert gap.ci95[0] > 0 or gap.ci95[1] < 0
        name = DISPLAY[gap.label].lower() if gap.label else ""
        start = starts.get(gap.metric) or (
            f"Of images that carry {name}, it was flagged on "
            if gap.label
            else "Of all findings on the images, those flagged were "
        )
        low, high = sorted(map(abs, gap.ci95))
        size, numbers = abs(gap.difference), [one, other, abs(gap.difference), low, high]
        scale, digits = (1, 3) if "auroc" in gap.metric else (100, 0)
        one, other, size, low, high = (f"{scale * number:.{digits}f}" for number in numbers)
        sign, points = ("", "") if scale == 1 else (" %", " points")
        here, there = (words[name] for name in gap.groups)
        assert gap.sentence == (
            f"{start.format(name)}{one}{sign} for {here} and {other}{sign} for {there} "
            f"(difference {size}{points}, 95 % {low} to {high})."
        )
    kinds = {(g.by, g.metric, g.label, g.groups) for g in found.gaps}
    assert ("view", "auroc", "Effusion", ("PA", "AP")) in kinds
    for groups in (("under 40", "60 and over"), ("40 to 59", "60 and over")):
        assert ("age", "underdiagnosis", None, groups) in kinds
        assert ("age", "sensitivity", "Mass", groups) in kinds
    # Five pairs of groups, one of sex, one of view and three of age, with 3 + 2 * 14 metrics each.
    assert notes[-1] == (
        "155 gaps between groups were examined. About 8 would exclude zero by chance alone; "
        f"{len(found.gaps)} did."
    )


def test_bands_of_age_meet_at_their_first_year():
    """39 is under 40, 40 is not, 60 is over; an unknown age is in no band."""
    table, targets, probabilities = images(0, patients=40)
    table["age"] = np.resize([39.9, 40.0, 59.9, 60.0, np.nan], len(table))
    found = measure(table, targets, probabilities)[0].age
    assert {name: group.images for name, group in found.items()} == {
        "under 40": 16,
        "40 to 59": 32,
        "60 and over": 16,
    }


def test_planted_underdiagnosis_is_found_and_said():
    """Findings of women that the model does not see: a gap, in plain words."""
    table, targets, probabilities = images(0)
    unseen = (table["sex"] == "F").to_numpy() & (table["patient"] % 2 == 0).to_numpy()
    probabilities[unseen] *= 0.1
    found, _ = measure(table, targets, probabilities)
    gaps = {g.metric: g for g in found.gaps if g.by == "sex" and g.label is None}
    gap = gaps["underdiagnosis"]
    assert gap.groups == ("F", "M")
    assert 0 < gap.ci95[0] < gap.difference < gap.ci95[1]
    rates = [round(100 * found.sex[sex].underdiagnosis.value) for sex in ("F", "M")]
    low, high = (round(100 * end) for end in gap.ci95)
    assert gap.sentence == (
        f"Of images that carry a finding, nothing was flagged on {rates[0]} % for female patients "
        f"and {rates[1]} % for male patients (difference {round(100 * gap.difference)} points, "
        f"95 % {low} to {high})."
    )
    assert gaps["sensitivity"].difference < 0
    assert "difference -" not in gaps["sensitivity"].sentence


def test_planted_gap_of_one_finding_is_told_by_its_name():
    """Effusion is not told apart on AP images: its AUROC gap is found, with the label."""
    table, targets, probabilities = images(0)
    k, ap = LABELS.index("Effusion"), (table["view"] == "AP").to_numpy()
    probabilities[ap, k] = np.random.default_rng(0).random(ap.sum())
    gaps = measure(table, targets, probabilities)[0].gaps
    assert ("view", "auroc", "Effusion") in {(g.by, g.metric, g.label) for g in gaps}
    sentence = next(g.sentence for g in gaps if g.label == "Effusion")
    assert sentence.startswith("The AUROC of effusion is ")


@pytest.mark.slow
def test_gaps_by_chance_are_as_many_as_said():
    """Of all gaps that are examined where none is, about one in twenty is listed."""
    listed = examined = 0
    for seed in range(12):
        found, notes = measure(*images(seed))
        listed += len(found.gaps)
        note = next(note for note in notes if "gaps between groups" in note)
        examined += int(note.split()[0])
        assert f"{len(found.gaps)} did." in note
    assert 0.015 < listed / examined < 0.09


def test_mean_auroc_gap_compares_the_same_findings():
    """A hard finding that only one group has does not make it look worse."""
    table, targets, probabilities = images(1)
    women = (table["sex"] == "F").to_numpy()
    rng = np.random.default_rng(0)
    for k in range(6):  # no man has these, and they are not told apart
        targets[~women, k] = 0
        probabilities[:, k] = rng.random(len(table))
    found, _ = measure(table, targets, probabilities)
    assert found.sex["F"].mean_auroc.value < found.sex["M"].mean_auroc.value - 0.1
    assert ("sex", "mean_auroc") not in {(g.by, g.metric) for g in found.gaps}


def test_images_of_one_patient_in_two_groups_are_not_independent():
    """Every patient is seen from both views: what they share does not widen the gap's interval."""
    table, targets, _ = images(0, patients=300)
    table["view"] = np.resize(["PA", "AP"], len(table))
    own = np.random.default_rng(0).normal(0, 3.0, 300)[table["patient"]]
    flagged = np.repeat(own[:, None] > 0, len(LABELS), 1)  # by patient, whatever the image
    targets[:, :14] = np.repeat(targets[::2, :14], 2, axis=0)
    drawn = bootstrap.draw(table["patient"].to_numpy(), resamples=200)
    of = {view: (table["view"] == view).to_numpy() for view in ("PA", "AP")}
    figures = [
        bootstrap.share(
            drawn.of(rows), (flagged & (targets == 1))[rows].sum(1), targets[rows].sum(1)
        )
        for rows in of.values()
    ]
    together = np.std(figures[0][1:] - figures[1][1:])
    apart = np.hypot(np.std(figures[0][1:]), np.std(figures[1][1:]))
    assert together < apart / 4


@pytest.mark.parametrize(
    ("column", "words"), [("sex", "sex"), ("age", "age"), ("view", "view position")]
)
def test_unknown_column_is_a_sentence(column, words):
    """A table without one column: said, and the other groups are measured."""
    table, targets, probabilities = images(0)
    table[column] = np.nan if column == "age" else None
    found, notes = measure(table, targets, probabilities)
    assert f"The {words} of no image is known: groups by it were not measured." in notes
    assert found.by()[column] == {}
    assert all(found.by()[other] for other in {"sex", "age", "view"} - {column})


def test_small_group_says_why_it_is_not_measured():
    """Nine patients are too few: no figure, the reason, and no gap with them; ten are enough."""
    table, targets, probabilities = images(0)
    table["sex"] = np.where(table["patient"] < 9, "F", "M")
    probabilities[table["patient"] < 9] = 0.01
    found, _ = measure(table, targets, probabilities)
    women = found.sex["F"]
    assert (women.images, women.patients) == (18, 9)
    assert all(getattr(women, name) is None for name in OVERALL)
    assert women.why == "9 patients are too few, it takes 10"
    assert not [gap for gap in found.gaps if gap.by == "sex"]
    table["sex"] = np.where(table["patient"] < 10, "F", "M")
    women = measure(table, targets, probabilities)[0].sex["F"]
    assert women.sensitivity is not None
    assert women.why == ""


def test_group_without_images_and_images_without_finding():
    """Empty groups and empty labels are null with a reason, never a crash."""
    table, targets, probabilities = images(0)
    table["view"] = "PA"
    targets[:, :14] = 0
    found, notes = measure(table, targets, probabilities)
    assert found.view["AP"].why == "no image is of this group"
    assert found.view["PA"].why == "no image of this group carries a finding"
    assert list(found.view) == ["PA", "AP"]
    assert found.gaps == []
    assert "No gap between groups was examined: too few patients have a finding." in notes


def test_findings_that_cannot_be_compared_are_named():
    """A group whose images all carry the same findings, and one in which some finding is absent."""
    table, targets, probabilities = images(0)
    women = (table["sex"] == "F").to_numpy()
    targets[women, :14] = 0
    targets[women, 4] = 1
    targets[~women, 2] = targets[~women, 9] = 0
    found, _ = measure(table, targets, probabilities)
    assert found.sex["F"].why == "every image of this group carries the same findings"
    assert found.sex["M"].why == "no image of this group carries Effusion, Edema"


def test_finding_without_threshold_is_left_to_the_aurocs():
    """What is never flagged does not count as missed."""
    table, targets, probabilities = images(0)
    found = measure(table, targets, probabilities, thresholds={"Mass": THRESHOLD})[0].sex["M"]
    assert found.findings["Hernia"].sensitivity is None
    assert found.findings["Hernia"].auroc is not None
    assert found.sensitivity == found.findings["Mass"].sensitivity
    nothing = measure(table, targets, probabilities, thresholds={})[0].sex["M"]
    assert nothing.underdiagnosis is None
    assert nothing.mean_auroc is not None
