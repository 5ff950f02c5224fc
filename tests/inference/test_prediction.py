"""What a model predicts for one image, stated at a prevalence."""

import pytest
from support import IMAGE, STARTER

from cxr import imaging
from cxr.inference import results
from cxr.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(STARTER)


@pytest.mark.parametrize("stated", ["training", {"Effusion": 0.3}])
def test_restated_as_if_predicted_at_that_prevalence(predictor, stated, monkeypatch):
    """`at` gives the same result, without reading the image or running the network again."""
    first = predictor.analyze(IMAGE)
    anew = predictor.analyze(IMAGE, stated)
    monkeypatch.setattr(imaging, "read_image", None)
    monkeypatch.setattr(Predictor, "run", None)
    restated = first.at(stated)
    assert restated.thresholds == anew.thresholds
    assert restated.flagged == first.flagged
    assert results.of_prediction(predictor, "a.png", restated) == results.of_prediction(
        predictor, "a.png", anew
    )
    assert restated.probabilities != first.probabilities
