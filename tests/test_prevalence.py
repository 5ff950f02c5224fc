"""The prevalence that scores are stated at, from what the reader writes to what is answered."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cxr import prevalence, radiograph
from cxr.prevalence import PrevalenceError
from cxr.serving.predictor import Predictor
from cxr_labels import LABELS, NIH_PREVALENCE

ROOT = Path(__file__).parents[1]
FILM = ROOT / "examples" / "chest_rg1.png"
STARTER = ROOT / "models" / "starter"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nih", "nih"),
        (" Training ", "training"),
        ("Effusion=0.3", {"Effusion": 0.3}),
        ("Effusion = 0.3, Mass=.2", {"Effusion": 0.3, "Mass": 0.2}),
    ],
)
def test_prevalence_is_read_as_meant(text, meant):
    """What a reader writes gives the prevalence that is meant."""
    assert prevalence.parse(text) == meant


@pytest.mark.parametrize("text", ["nih", "training", "Effusion=0.3, Mass=0.2"])
def test_name_reads_back(text):
    """The text that answers name a prevalence by is understood again."""
    assert prevalence.name(prevalence.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not understood"),
        ("full", "not understood"),
        ("Effusion=30", "between 0 and 1"),
        ("Effusion=0", "between 0 and 1"),
        ("Effusion=nan", "between 0 and 1"),
        ("Effusion=a third", "between 0 and 1"),
        ("Cough=0.1", "Cough"),
    ],
)
def test_bad_prevalence_is_one_sentence(text, words):
    """What cannot be understood is said in one sentence that names it."""
    with pytest.raises(PrevalenceError, match=words) as raised:
        prevalence.parse(text)
    assert "\n" not in str(raised.value)


def test_own_share_moves_its_own_label_alone():
    """A share given for one label restates that label's score and leaves the others at NIH's."""
    predictor, film = Predictor(STARTER), radiograph.read(FILM)
    nih = predictor.predict([film])[0].probabilities
    own = predictor.predict([film], {"Effusion": 0.3})[0].probabilities
    assert own["Effusion"] > nih["Effusion"]
    assert {label for label in LABELS if own[label] != pytest.approx(nih[label])} == {"Effusion"}


def test_nihs_own_share_changes_nothing():
    """Giving NIH's share of a finding by hand is the same as saying "nih"."""
    config = Predictor(STARTER).config
    logits = np.linspace(-4, 4, 15)[None]
    own = {"Effusion": NIH_PREVALENCE["Effusion"]}
    assert config.probabilities(logits, own) == pytest.approx(config.probabilities(logits, "nih"))


@pytest.mark.parametrize("stated", ["nih", "training", "Effusion=0.3"])
def test_command_line_states_scores_at_the_prevalence_asked_for(stated):
    """`predict --prevalence` answers with the predictor's scores there, and says where that is."""
    command = [sys.executable, "-m", "cxr", "predict", str(STARTER), str(FILM), "--json"]
    done = subprocess.run(
        [*command, "--prevalence", stated], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    expected = Predictor(STARTER).predict([radiograph.read(FILM)], prevalence.parse(stated))[0]
    assert found["prevalence"] == stated
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_command_line_refuses_what_is_no_prevalence():
    """A prevalence of 30 is wrong usage, said in a sentence."""
    command = [sys.executable, "-m", "cxr", "predict", str(STARTER), str(FILM)]
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
