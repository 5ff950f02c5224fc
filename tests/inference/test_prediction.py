"""What a model predicts for one image, stated at a prevalence."""

from dataclasses import replace

import numpy as np
import pytest
from support import IMAGE, STARTER

from cxr import imaging
from cxr.imaging import GreyImage
from cxr.inference import results
from cxr.inference.boxes import find_boxes, in_pixels
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


def test_boxes_have_the_typical_size_of_their_finding(predictor):
    """The rule of the model folder holds a size for each finding, and it is used."""
    found = predictor.analyze(IMAGE)
    rule = found.config.box_rule
    assert rule.sizes
    for label in rule.sizes:
        heatmap = found.heatmap(label)
        assert found.boxes(label) == find_boxes(heatmap, rule, label) != find_boxes(heatmap, rule)


def test_boxes_are_in_pixels_of_an_oblong_image(predictor):
    """Their width is a share of the image's width, and their height one of its height."""
    found = predictor.analyze(IMAGE)
    wide = replace(found, image=GreyImage(np.zeros((100, 900), np.uint8)))
    boxes = results.of_prediction(predictor, "a.png", wide)["boxes"]
    assert boxes == {label: in_pixels(found.boxes(label), 900, 100) for label in found.flagged}


def test_rejection_names_the_stated_prevalence(predictor, tmp_path):
    """As every other result does; a run that is resumed compares them."""
    for stated, name in (("training", "training"), ({"Mass": 0.3}, "Mass=0.3")):
        result = results.of_file(predictor, tmp_path / "missing.png", "missing.png", stated)
        assert result["rejected"]
        assert result["prevalence"] == name
