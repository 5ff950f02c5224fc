"""Predictions and labels -> metrics: what is undefined, and at which prevalence they are."""

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn
from support.samples import config, sample

from cxr.evaluation import bootstrap, compute, form, scoring
from cxr.evaluation.compute import Sample
from cxr_labels import FINDINGS, LABELS, NIH_PREVALENCE, NO_FINDING


def measured(images, train=None, of=None):
    """Metrics of the images, which must be strict JSON; a warning of NumPy is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compute.compute(images, of or config(), train)
    json.dumps(found.model_dump(), allow_nan=False)
    return found


def test_unknown_metadata_have_no_baseline():
    """Where neither sex nor age nor view is known there is none, and a note says so."""
    images = sample(200, sex=None, view=None, age=np.nan)
    for train in (None, (images.table, images.targets)):
        found = measured(images, train)
        assert found.baselines.metadata_only_mean_auroc is None
        assert sum("Sex, age and view are unknown" in note for note in found.notes) == 1


def test_few_training_images_teach_no_baseline():
    """A handful of training images does not replace the other patients of the images."""
    images, others = sample(40), sample(200, seed=1)
    alone = measured(images).baselines
    few = others.table[:199], others.targets[:199]
    assert measured(images, few).baselines == alone
    enough = others.table, others.targets
    assert measured(images, enough).baselines != alone


def test_intervals_contain_their_metric():
    """Every metric of a finding, and every mean."""
    found = measured(sample())
    mass = found.findings["Mass"]
    estimates = [found.mean_auroc, found.mean_average_precision, found.mean_ece]
    estimates += [mass.auroc, mass.average_precision, mass.ece]
    estimates += [mass.sensitivity, mass.specificity, mass.ppv, mass.npv]
    for one in estimates:
        assert one.ci95[0] <= one.value <= one.ci95[1]


def test_undefined_metrics_are_none_with_a_reason():
    """A finding that no image carries, or every image, says so; all else is measured."""
    images = sample()
    images.targets[:, :3] = 0
    images.targets[:, 1] = 1
    images.targets[0, 2] = 1
    found = measured(images, (images.table, images.targets))
    assert found.findings["Atelectasis"].why == "no test image carries it"
    assert found.findings["Cardiomegaly"].why == "every test image carries it"
    assert "too few patients" in found.findings["Effusion"].why
    for label in ("Atelectasis", "Cardiomegaly"):
        for name in ("auroc", "average_precision", "ece", "brier", "ppv", "npv"):
            assert getattr(found.findings[label], name) is None
        assert found.findings[label].reliability == []
    auroc = found.findings["Effusion"].auroc
    assert auroc.value == pytest.approx(
        scoring.auroc(images.targets[:, 2], images.probabilities[:, 2])
    )
    assert auroc.ci95 is None
    assert found.findings[NO_FINDING].why == "it is never flagged"
    assert found.notes[0] == ("No image carries Atelectasis: no metric compares images with it.")
    assert found.notes[1] == (
        "Every image carries Cardiomegaly: no metric compares images without it."
    )


def test_findings_of_one_patient_give_a_mean_no_interval():
    """A mean says how many findings it is over; its interval comes from those with a spread."""
    images = sample(60)
    images.targets[:, :14] = 0
    images.targets[0, :2] = 1
    found = measured(images)
    assert found.mean_of == 2
    for name in ("mean_auroc", "mean_average_precision", "mean_ece"):
        assert getattr(found, name).ci95 is None
    images.targets[::3, 2] = 1
    found = measured(images)
    assert found.mean_of == 3
    for name in ("mean_auroc", "mean_average_precision", "mean_ece"):
        one = getattr(found, name)
        assert one.ci95[0] <= one.value <= one.ci95[1]


@pytest.mark.parametrize(
    ("count", "words"), [(14, "the 14 findings"), (13, "13 findings"), (1, "1 finding")]
)
def test_mean_says_how_many_findings_it_is_over(count, words):
    """As the card, the report and the terminal write it."""
    assert form.averaged(count) == words


def test_images_without_any_finding_are_measured():
    """Specificity and constant answers stand; a sentence says why there is not more."""
    images = sample()
    images.targets[:, :-1] = 0
    images.targets[:, -1] = 1
    found = measured(images)
    assert found.mean_auroc is None
    assert found.findings["Mass"].specificity is not None
    assert found.baselines.always_no_finding == 1.0
    assert "No image carries a finding, so only specificity could be measured." in found.notes


@pytest.mark.parametrize("count", [1, 6])
def test_single_patient_is_measured(count):
    """One patient, one image or several: no interval pretends to know of others."""
    found = measured(sample(count, patient=7))
    assert found.n_patients == 1
    assert any("All images are of one patient" in note for note in found.notes)
    assert found.mean_auroc is None or found.mean_auroc.ci95 is None
    assert found.baselines.metadata_only_mean_auroc is None


def test_no_image_is_rejected_in_one_sentence():
    """Nothing can be said of nothing."""
    images = sample()
    empty = Sample(images.table[:0], images.targets[:0], images.probabilities[:0])
    with pytest.raises(ValueError, match=r"^No image is left to be measured\.$"):
        compute.compute(empty, config(), None)


def test_baseline_without_training_images_says_how():
    """On foreign data the baseline is cross-validated, and a note says so."""
    images = sample(200)
    note = "cross-validation"
    assert any(note in sentence for sentence in measured(images).notes)
    trained = measured(images, (images.table, images.targets))
    assert not any(note in sentence for sentence in trained.notes)


def test_metrics_are_at_the_stated_prevalence():
    """Of a calibrated model at another prevalence: calibrated, and PPV as images drawn there."""
    rng = np.random.default_rng(0)

    def images(share, count):
        target = (rng.random(count) < share).astype(float)
        logit = rng.normal(2 * target - 1, 2**0.5)  # log likelihood ratio of two such normals
        return target, 1 / (1 + np.exp(-logit - np.log(share / (1 - share))))

    training = dict(NIH_PREVALENCE) | {"Pneumonia": 0.25}
    k, share = LABELS.index("Pneumonia"), NIH_PREVALENCE["Pneumonia"]
    enriched = sample(6_000)
    enriched.targets[:, k], enriched.probabilities[:, k] = images(0.25, 6_000)
    found = measured(enriched, (enriched.table, enriched.targets), config(training))
    pneumonia = found.findings["Pneumonia"]
    assert pneumonia.as_measured.share == pytest.approx(0.25, abs=0.02)
    assert pneumonia.as_measured.ece < 0.02
    assert pneumonia.ece.value < 0.003
    target, probability = images(share, 400_000)
    odds = (0.3 / 0.7) * share / (1 - share) / (0.25 / 0.75)
    ppv, npv = scoring.predictive_values(target, probability >= odds / (1 + odds))
    assert pneumonia.ppv.value == pytest.approx(ppv, abs=0.01)
    assert pneumonia.npv.value == pytest.approx(npv, abs=0.001)
    assert pneumonia.brier == pytest.approx(scoring.brier(target, probability), abs=0.001)
    assert pneumonia.ppv.ci95[0] < ppv < pneumonia.ppv.ci95[1]


def test_flawless_flags_on_few_images_do_not_promise_a_ppv_of_one():
    """Without a false flag, the PPV at NIH's prevalence still allows for one unseen."""
    images = sample(60)
    k = LABELS.index("Hernia")
    images.probabilities[:, k] = np.where(images.targets[:, k] == 1, 0.9, 0.1)
    hernia = measured(images).findings["Hernia"]
    assert hernia.ppv.value == 1.0
    low, high = hernia.ppv.ci95
    assert low < 0.1  # one in 500 images: a specificity of 0.9 would flag fifty others
    assert high == 1.0
    without = images.table["patient"][images.targets[:, k] == 0].nunique()
    assert hernia.specificity.ci95 == pytest.approx(bootstrap.wilson(1.0, without))
    with_it = images.table["patient"][images.targets[:, k] == 1].nunique()
    assert hernia.sensitivity.ci95 == pytest.approx(bootstrap.wilson(1.0, with_it))


def test_every_metric_is_that_of_its_label():
    """Each label's row comes from its own column, threshold and prevalences; means are over 14.

    Probabilities are at the training prevalence, and one that equals the threshold is a flag.
    """
    images = sample(200)
    images = Sample(images.table, images.targets, images.probabilities.round(1).clip(0.1, 0.9))
    training = {label: 0.2 + 0.02 * k for k, label in enumerate(LABELS)}
    limits = {label: (3 + k % 5) / 10 for k, label in enumerate(FINDINGS)}
    model = config(training).replace(
        thresholds=limits, accuracy_threshold=0.7, training={"split": "official"}
    )
    found = measured(images, of=model)
    means = {"auroc": [], "average_precision": [], "ece": [], "ece_if_calibrated": [], "brier": []}
    for k, label in enumerate(LABELS):
        target, score, one = images.targets[:, k], images.probabilities[:, k], found.findings[label]
        share, raw = NIH_PREVALENCE[label], one.as_measured
        odds = score / (1 - score) * share / (1 - share) / (training[label] / (1 - training[label]))
        stated, weights = odds / (1 + odds), scoring.restating_weights(target, share)
        assert (one.positives, one.threshold) == (target.sum(), limits.get(label))
        pairs = [
            (one.auroc.value, sklearn.roc_auc_score(target, score)),
            (one.average_precision.value, sklearn.average_precision_score(target, score)),
            (one.brier, sklearn.brier_score_loss(target, stated, sample_weight=weights)),
            (one.ece.value, scoring.ece(target, stated, weights)),
            (one.ece_if_calibrated, bootstrap.error_if_calibrated(score, share, k)),
            (raw.share, target.mean()),
            (raw.brier, sklearn.brier_score_loss(target, score)),
            (raw.ece, scoring.ece(target, score)),
        ]
        if label in limits:
            flagged = score >= limits[label]
            for value, positive, weight in (
                (one.ppv.value, 1, weights),
                (one.npv.value, 0, weights),
                (raw.ppv, 1, None),
                (raw.npv, 0, None),
            ):
                right = sklearn.precision_score(
                    target, flagged, pos_label=positive, sample_weight=weight
                )
                pairs.append((value, right))
            pairs.append((one.sensitivity.value, sklearn.recall_score(target, flagged)))
            spared = sklearn.recall_score(target, flagged, pos_label=0)
            pairs.append((one.specificity.value, spared))
            for name, of in means.items():
                value = getattr(one, name)
                of.append(getattr(value, "value", value))
        assert [pair[0] for pair in pairs] == pytest.approx([pair[1] for pair in pairs])
        bins = scoring.reliability(target, stated, weights)
        assert [(b.predicted, b.weight) for b in one.reliability] == (
            [pytest.approx((b.predicted, b.weight)) for b in bins]
        )
    common = [v for v, k in zip(means["auroc"], FINDINGS, strict=True)
              if k not in ("Pneumonia", "Hernia")]  # fmt: skip
    assert found.mean_auroc_without_pneumonia_hernia.value == pytest.approx(np.mean(common))
    assert [
        found.mean_auroc.value,
        found.mean_average_precision.value,
        found.mean_ece.value,
        found.mean_ece_if_calibrated,
        found.mean_brier,
    ] == pytest.approx([np.mean(of) for of in means.values()])
    assert (found.mean_of, found.n_images, found.n_patients) == (14, 200, 100)
    assert (found.split, found.prevalence, found.accuracy_threshold) == ("official", "nih", 0.7)
    right = (images.probabilities >= 0.7) == (images.targets == 1)
    assert found.accuracy_multi == pytest.approx(right.mean())
    women = (images.table["sex"] == "F").to_numpy()
    flags = images.probabilities[:, :14] >= list(limits.values())
    missed = ~flags[women][images.targets[women, :14] == 1]
    assert found.subgroups.sex["F"].false_negative_rate.value == pytest.approx(missed.mean())


def test_reasons_for_missing_metrics_are_all_given():
    """Of a label that is never or always flagged, and of several findings that no image has."""
    images = sample()
    images.targets[:, [0, 1, 2]] = 0
    images.targets[1:, 5] = 1
    images.targets[0, 5] = 0
    images.probabilities[:, [0, 3]] = 0.1
    images.probabilities[:, [1, 4]] = 0.9
    found = measured(images, (images.table, images.targets))
    reasons = [finding.why for finding in found.findings.values()]
    assert reasons == [
        "no test image carries it; no test image was flagged",
        "no test image carries it; every test image was flagged",
        "no test image carries it",
        "no test image was flagged",
        "every test image was flagged",
        "too few patients carry it, or lack it, for an interval",
        *[""] * 8,
        "it is never flagged",
    ]
    assert found.findings["Nodule"].auroc.ci95 is None
    assert found.notes[0] == (
        "No image carries Atelectasis, Cardiomegaly or Effusion: no metric compares images with it."
    )
    assert found.findings["Infiltration"].as_measured.ppv is None
    assert found.findings["Mass"].as_measured.npv is None
    assert found.findings["Mass"].ppv is not None
