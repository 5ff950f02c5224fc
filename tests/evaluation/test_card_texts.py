"""Sentences of the model card that depend on how the model was trained and on its images."""

import re

import pytest
from support import measured, samples

from cxr.evaluation import model_card
from cxr.model.metrics import Subgroups
from cxr_labels import FINDINGS, LABELS, NIH_PREVALENCE

FULL = measured.full()


def card(metrics=FULL, training=None, **changes):
    """The card of a model with this training record."""
    config = samples.config().replace(training=training or {}, **changes)
    return model_card.render(config, metrics)


def sentences(training):
    """What stands under "Training and split"."""
    return card(training=training).split("## Training and split\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({}, "a run whose schedule was not recorded"),
        ({"freeze_epochs": 1, "epochs": 8},
         "1 epoch of the head alone and 8 epochs of head and backbone from ImageNet's weights"),
        ({"epochs": 8},
         "0 epochs of the head alone and 8 epochs of head and backbone from ImageNet's weights"),
        ({"freeze_epochs": 0, "epochs": 1, "image_size": 320, "seed": 0, "learning_rate": 0.0015,
          "mirror": True},
         "1 epoch of head and backbone (320 px, seed 0, rate 0.0015, half of the images mirrored) "
         "from ImageNet's weights"),
        ({"freeze_epochs": 2, "epochs": 0, "seed": 3},
         "2 epochs of the head alone and 0 epochs of head and backbone (seed 3) from ImageNet's "
         "weights"),
    ],
)  # fmt: skip
def test_run_is_told_by_its_schedule(run, said):
    """A model of a single run names what the run did and from which weights."""
    assert f"Its weights are those of {said}." in sentences(run)


BASE = {"freeze_epochs": 1, "epochs": 8, "seed": 1}


@pytest.mark.parametrize(
    ("start", "origin"),
    [
        ([BASE], "step 1"),
        ([BASE, BASE, BASE], "the mean of the weights of 3 networks of step 1"),
        ([BASE, BASE | {"seed": 2}], "the mean of the weights of steps 1 and 2"),
    ],
)
@pytest.mark.parametrize("epochs", [0, 2])
def test_run_that_starts_from_others_names_their_steps(start, origin, epochs):
    """A run without epochs is only the start that it was given."""
    text = sentences({"freeze_epochs": 0, "epochs": epochs, "start": start})
    *_, last = (line for line in text.splitlines() if re.match(r"\d+\. ", line))
    trained = f"{epochs} epochs of head and backbone from " if epochs else ""
    assert last.split(". ", 1)[1] == f"{trained}{origin}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("patient", "split by patient: all images of a person are in one set."),
        ("official", "split by the release's own list of test patients."),
        ("random", "split image by image, so that one person's images are in several sets."),
        ("reused", "split as an earlier run split them."),
        ("mine.csv", "split by `mine.csv`."),
    ],
)
def test_split_is_told_with_its_sizes(kind, said):
    """The kind of the run's own record, and the sets whose sizes are known."""
    text = sentences({"split": kind, "train_images": 3924, "valid_images": 561})
    assert said in text
    assert (
        "The sets: 3,924 images for training, 561 images for choosing, calibrating and "
        "thresholds, 1,543 images of 320 patients for the metrics of this card."
    ) in text
    assert "The sets: 1,543 images of 320 patients" in sentences({"split": kind})


def test_split_of_the_metrics_is_told_where_the_run_has_none():
    """As a model of an earlier version."""
    text = card(measured.full(split="random"))
    assert "split image by image" in text


def test_facts_of_the_run_are_listed():
    """Those that are recorded, with the first letter in upper case."""
    run = {"device": "cuda", "images_per_second": 310, "recipe": "article", "commit": "abc"}
    said = "Device `cuda`; images a second `310`; recipe `article`; commit of the code `abc`."
    assert said in sentences(run).splitlines()
    assert "Recipe `article`." in sentences({"recipe": "article"}).splitlines()
    text = card(pooling="its mean", training={"boxes": "Boxes were learned."})
    assert "from nothing else (its mean). Boxes were learned." in text


@pytest.mark.parametrize(("times", "said"), [(2.9, False), (3.1, True)])
def test_enriched_images_are_named_by_the_most_enriched_finding(times, said):
    """From three times NIH's share on, in the summary, beside the data and among the limits."""
    training = dict(NIH_PREVALENCE) | {"Nodule": NIH_PREVALENCE["Nodule"] * 2}
    training["Pleural_Thickening"] *= times
    text = card(prevalence={"training": training, "nih": NIH_PREVALENCE})
    sentence = (
        "Its images are enriched and differ from NIH's prevalence: pleural thickening is on "
        f"{100 * training['Pleural_Thickening']:.1f} % of the training images and on "
        f"{100 * NIH_PREVALENCE['Pleural_Thickening']:.1f} % of the full release."
    )
    assert text.count(sentence) == 2 * said
    assert ("- Its images are enriched (above)" in text) == said
    assert ("which choosing images for their findings violates" in text) == said


@pytest.mark.parametrize(("positives", "said"), [(19, True), (20, False)])
def test_findings_with_few_images_are_among_the_limits(positives, said):
    """Fewer than twenty images with it, with their number."""
    hernia = FULL.findings["Hernia"].model_copy(update={"positives": positives})
    text = card(measured.full(findings=FULL.findings | {"Hernia": hernia}))
    assert ("- Fewer than 20 test images carry: Hernia (19)." in text) == said


def test_mean_share_is_over_the_findings_whose_precision_is_defined():
    """What random scores reach of the mean average precision."""
    findings = dict(FULL.findings)
    for label in FINDINGS[2:]:
        findings[label] = findings[label].model_copy(update={"average_precision": None})
    shares = [findings[label].positives / 1543 for label in LABELS[:2]]
    text = card(measured.full(findings=findings))
    assert f"| {sum(shares) / 2:.3f} by chance |" in text


@pytest.mark.parametrize(("images", "small"), [(9_999, True), (10_000, False)])
def test_summary_counts_the_images(images, small):
    """A model of fewer than 10,000 images is called small."""
    text = card(training={"images": images, "train_images": 700, "patients": 50, "data": "a.zip"})
    assert text.count("A small model: `none` at 32 px") == small
    assert f"{images:,} images of NIH ChestX-ray14, of which 700 trained it." in text
    assert f"{images:,} frontal chest X-rays of 50 patients of" in text
    assert "(data: `a.zip`)" in text


def test_metrics_at_the_training_prevalence_are_called_that():
    """Not those at NIH's."""
    text = card(measured.full(prevalence="training"))
    assert text.count("with probabilities at the training prevalence") > 1
    assert "the images weighted to it" not in text
    assert card().count("at NIH's prevalence, the images weighted to it") == 2


def test_reasons_stand_with_their_labels_and_groups():
    """Each reason once, with the names for which it holds, in the section of its table."""
    findings = dict(FULL.findings)
    for label, why in (("Mass", "too few"), ("Edema", "none"), ("Pleural_Thickening", "too few")):
        findings[label] = findings[label].model_copy(update={"why": why})
    groups = FULL.subgroups.model_copy(
        update={
            "sex": {k: g.model_copy(update={"why": "few"}) for k, g in FULL.subgroups.sex.items()}
        }
    )
    text = card(measured.full(findings=findings, subgroups=groups))
    flagged = text.split("## What is flagged")[1].split("\n## ")[0]
    assert "- Mass, Pleural thickening: too few.\n- Edema: none.\n" in flagged
    assert "- No finding: it is never flagged.\n" in flagged
    assert "- sex: F, sex: M: few.\n" in text.split("## Groups of patients")[1]


def test_what_was_not_measured_is_said():
    """Without boxes, input check, groups and gaps."""
    text = card(measured.nothing())
    assert "Not measured: no boxes on test images were given." in text
    assert "Not measured: how it treats images that are no frontal chest X-ray." in text
    assert "No gap between groups was found whose interval excludes zero." in text
    assert "Not measured by group." in card(measured.full(subgroups=Subgroups()))
    assert "Not measured" not in card()
