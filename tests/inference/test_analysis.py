"""An image and its prediction, and the results that are made of them."""

import pytest
from support import IMAGE, STARTER

from cxr import imaging
from cxr.inference import analysis, results
from cxr.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(STARTER)


@pytest.mark.parametrize("stated", ["training", {"Effusion": 0.3}])
def test_restated_as_if_analyzed_at_that_prevalence(predictor, stated, monkeypatch):
    """`at` gives the same result, without reading the image or running the network again."""
    first = analysis.analyze(predictor, IMAGE)
    anew = analysis.analyze(predictor, IMAGE, stated)
    monkeypatch.setattr(imaging, "read_image", None)
    monkeypatch.setattr(Predictor, "run", None)
    restated = first.at(stated)
    assert restated.prediction.thresholds == anew.prediction.thresholds
    assert restated.prediction.flagged == first.prediction.flagged
    assert results.of_analysis(predictor, "a.png", restated) == results.of_analysis(
        predictor, "a.png", anew
    )
    assert restated.prediction.probabilities != first.prediction.probabilities
