"""The prevalence, from the user's text to the probabilities."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit, logit
from support import IMAGE, ROOT, STARTER

from cxr import imaging
from cxr.inference import prevalence, probability
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import (
    PrevalenceError,
    probabilities_at,
    shares_at,
    thresholds_at,
)
from cxr.model.config import read_config
from cxr_labels import LABELS, NIH_PREVALENCE


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nih", "nih"),
        (" Training ", "training"),
        ("Effusion=0.3", {"Effusion": 0.3}),
        ("Effusion = 0.3, Mass=.2", {"Effusion": 0.3, "Mass": 0.2}),
        ("effusion=0.3", {"Effusion": 0.3}),
        ("Pleural thickening=0.1, no_finding=0.2", {"Pleural_Thickening": 0.1, "No Finding": 0.2}),
        ("Mass=0.000001, Hernia=0.999999", {"Mass": 1e-6, "Hernia": 0.999999}),
        ({"mass": 0.2}, {"Mass": 0.2}),
        ({}, "nih"),
    ],
)
def test_prevalence_is_read_as_meant(text, meant):
    """Labels and shares may be written in several ways."""
    assert prevalence.parse(text) == meant


@pytest.mark.parametrize("text", ["nih", "training", "Effusion=0.3, Mass=0.123456789"])
def test_name_reads_back(text):
    """Results name a prevalence by a text that can be parsed again."""
    assert prevalence.name(prevalence.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not understood"),
        ("full", "not understood"),
        ("Effusion=30", "between 0 and 1"),
        ("Effusion=0", "between 0 and 1"),
        ("Effusion=0,3", "decimal point"),
        ("Mass=0.1, Effusion= 0,3", "decimal point"),
        ("Effusion=nan", "between 0 and 1"),
        ("Effusion=a third", "between 0 and 1"),
        ("Cough=0.1", "Cough"),
        ("Mass=0.1, mass=0.2", "Mass is given twice"),
        ("Mass=1e-7", "between 0 and 1"),
        ("Mass=0.9999999", "between 0 and 1"),
    ],
)
def test_bad_prevalence_is_one_sentence(text, words):
    """The message is one sentence that names the problem."""
    with pytest.raises(PrevalenceError, match=words) as raised:
        prevalence.parse(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["x" * 9000, "x" * 9000 + "=0.1", "Mass=" + "x" * 9000])
def test_long_nonsense_is_not_repeated_whole(text):
    """A message repeats only the beginning of a long text."""
    with pytest.raises(PrevalenceError) as raised:
        prevalence.parse(text)
    assert str(raised.value).count("x") < 70


@pytest.mark.parametrize(
    ("stated", "room"),
    [
        ({"Effusion": 0.9}, 0.1),
        ({"Effusion": 0.9, "Mass": 0.7}, 0.1),
        ({"Effusion": 0.3}, NIH_PREVALENCE["No Finding"]),
        ({"Effusion": 0.9, "No Finding": 0.4}, 0.4),
    ],
)
def test_no_finding_has_the_room_that_findings_leave(stated, room):
    """The share of a finding caps that of "No Finding", unless the user gives that too."""
    shares = shares_at(Predictor(STARTER).config, stated)
    assert shares[LABELS.index("No Finding")] == pytest.approx(room)


def test_own_share_moves_its_own_label_alone():
    """A share for one label moves its probability and leaves the others at NIH's prevalence."""
    predictor, image = Predictor(STARTER), imaging.read_image(IMAGE)
    nih = predictor.predict([image])[0].probabilities
    own = predictor.predict([image], {"Effusion": 0.3})[0].probabilities
    assert own["Effusion"] > nih["Effusion"]
    assert {label for label in LABELS if own[label] != pytest.approx(nih[label])} == {"Effusion"}


@pytest.mark.parametrize(
    ("stated", "wanted", "threshold"),
    [
        ("training", np.e / (1 + np.e), 0.5),
        ("nih", np.e / 9 / (1 + np.e / 9), 0.1),
        ({"Mass": 0.8}, 4 * np.e / (1 + 4 * np.e), 0.8),
        ({"Effusion": 0.3}, np.e / 9 / (1 + np.e / 9), 0.1),
    ],
)
def test_probability_and_threshold_are_those_worked_out_by_hand(stated, wanted, threshold):
    """Calibrated, the odds of a logit of 1 are e^(2 - 1); prevalences multiply them as Bayes says.

    With training images half of which show the finding, the factor is the odds of the prevalence.
    """
    shares = {"training": dict.fromkeys(LABELS, 0.5), "nih": dict.fromkeys(LABELS, 0.1)}
    config = read_config(STARTER / "config.json").replace(
        calibration=dict.fromkeys(LABELS, (3.0, 0.0)) | {"Mass": (2.0, -1.0)},
        prevalence=shares,
        thresholds={"Mass": 0.5},
    )
    mass = LABELS.index("Mass")
    assert probabilities_at(config, np.ones(15), stated)[mass] == pytest.approx(wanted)
    thresholds = thresholds_at(config, stated)
    assert thresholds[mass] == pytest.approx(threshold)
    assert np.isnan(np.delete(thresholds, mass)).all()


def test_log_odds_are_finite_and_probabilities_without_overflow():
    """As SciPy computes them, but cut a millionth before 0 and 1."""
    p, x = np.linspace(0, 1, 11), np.array([-1000, -30, -1, 0, 1, 30, 1000], np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert probability.log_odds(p) == pytest.approx(logit(np.clip(p, 1e-6, 1 - 1e-6)))
        assert probability.sigmoid(x) == pytest.approx(expit(x.astype(float)))


def test_nihs_own_share_changes_nothing():
    """NIH's share of a finding, given by hand, is the same as "nih"."""
    config = Predictor(STARTER).config
    logits = np.linspace(-4, 4, 15)[None]
    own = {"Effusion": NIH_PREVALENCE["Effusion"]}
    assert probabilities_at(config, logits, own) == pytest.approx(
        probabilities_at(config, logits, "nih")
    )


@pytest.mark.parametrize("stated", ["nih", "training", "Effusion=0.3"])
def test_command_line_uses_the_prevalence(stated):
    """`predict --prevalence` gives the probabilities at that prevalence, and names it."""
    command = [sys.executable, "-m", "cxr", "predict", str(STARTER), str(IMAGE), "--json"]
    done = subprocess.run(
        [*command, "--prevalence", stated], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    expected = Predictor(STARTER).predict([imaging.read_image(IMAGE)], prevalence.parse(stated))[0]
    assert found["prevalence"] == stated
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_command_line_rejects_what_is_no_prevalence():
    """A prevalence of 30 is wrong usage."""
    command = [sys.executable, "-m", "cxr", "predict", str(STARTER), str(IMAGE)]
    done = subprocess.run(
        [*command, "--prevalence", "Effusion=30"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "between 0 and 1" in done.stderr
    assert "Traceback" not in done.stderr
