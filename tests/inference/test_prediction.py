"""What a model predicts for one image, stated at a prevalence."""

from dataclasses import replace

import numpy as np
import pytest
from support import IMAGE, KEYS, STARTER

from cxr import imaging
from cxr.imaging import GreyImage
from cxr.inference import results
from cxr.inference.boxes import find_boxes, in_pixels
from cxr.inference.input_check import Verdict
from cxr.inference.overlay import draw_overlay
from cxr.inference.predictor import Predictor
from cxr_labels import LABELS


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
    assert restated.thresholds == anew.thresholds != first.thresholds
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
        drawn = draw_overlay(found.image.grey, heatmap, found.boxes(label))
        assert np.array_equal(found.overlay(label), drawn)


def test_heatmap_is_that_of_its_label(predictor):
    """The heatmaps are in the order of the labels."""
    numbered = np.broadcast_to(np.arange(15, dtype=np.float32)[:, None, None], (15, 2, 2))
    found = replace(predictor.analyze(IMAGE), heatmaps=numbered)
    assert [found.heatmap(label)[0, 0] for label in LABELS] == list(range(15))


def test_threshold_of_no_finding_counts_for_nothing(predictor):
    """It is neither shown nor reached, and a finding without a threshold is never flagged."""
    found = predictor.analyze(IMAGE, "training")
    config = found.config.replace(thresholds={"Mass": 0.0, "Hernia": 1.0, "No Finding": 0.0})
    changed = replace(found, config=config)
    assert changed.thresholds == pytest.approx({"Hernia": 1, "Mass": 0}, abs=1e-5)
    assert changed.flagged == ("Mass",)


def test_warnings_on_the_file_come_before_those_on_the_image(predictor):
    """Both are in the result."""
    found = predictor.analyze(IMAGE)
    image = replace(found.image, warnings=("on the file",))
    warned = replace(found, image=image, verdict=Verdict(warnings=("on the image",)))
    assert warned.warnings == ("on the file", "on the image")
    result = results.of_prediction(predictor, "a.png", warned)
    assert result["warnings"] == ["on the file", "on the image"]


def test_probabilities_of_a_result_have_six_decimals(predictor):
    """More would only be noise."""
    found = predictor.analyze(IMAGE)
    told = results.of_prediction(predictor, "a.png", found)["probabilities"]
    assert told == {label: round(p, 6) for label, p in found.probabilities.items()}


def test_row_of_csv_joins_what_is_a_list():
    """Findings by "|" and warnings by a space; what is missing is empty."""
    told = dict.fromkeys(KEYS) | {"file": "a.png", "flagged": ["Mass", "Hernia"], "model": "m"}
    told |= {"probabilities": {"Mass": 0.25}, "warnings": ["One.", "Two."], "disclaimer": "No."}
    row = dict(zip(results.CSV_COLUMNS, results.csv_row(told), strict=True))
    filled = {"file": "a.png", "model": "m", "Mass": "0.25", "flagged": "Mass|Hernia"}
    filled |= {"warnings": "One. Two.", "disclaimer": "No."}
    assert row == dict.fromkeys(results.CSV_COLUMNS, "") | filled
    assert results.csv_text([["a,b", 'c"'], ["d", ""]]) == '"a,b","c"""\nd,\n'


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
