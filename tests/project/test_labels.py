"""The labels: their order, and how cells of the label table are read."""

import re

import numpy as np
import pytest

import cxr_labels
from cxr_labels import FINDINGS, LABELS, LabelError, encode, parse_label, parse_labels

# As in the paper and in the release's own files.
NIH_ORDER = [
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
]


def test_order_is_nihs():
    """The 14 findings stand in NIH's order and "No Finding" is last."""
    assert [*NIH_ORDER, "No Finding"] == list(LABELS)
    assert list(FINDINGS) == NIH_ORDER


def test_prevalences_are_the_full_releases():
    """The stored prevalences are those counted in the table of the full release."""
    shares = [1031, 248, 1188, 1774, 516, 565, 128, 473, 416, 205, 224, 150, 302, 20, 5384]
    assert [cxr_labels.NIH_PREVALENCE[label] * 10_000 for label in LABELS] == pytest.approx(shares)


SUBJECTS = {
    "Atelectasis": "lost its air and shrunk",
    "Cardiomegaly": "heart looks larger",
    "Effusion": "Fluid has gathered between the lung and the chest wall",
    "Infiltration": "hazy area",
    "Mass": "wider than 3 cm",
    "Nodule": "up to 3 cm",
    "Pneumonia": "infection",
    "Pneumothorax": "Air has escaped between the lung and the chest wall",
    "Consolidation": "instead of air",
    "Edema": "Fluid has built up inside the lungs",
    "Emphysema": "over-filled with air",
    "Fibrosis": "Scarring",
    "Pleural_Thickening": "lining around the lung",
    "Hernia": "diaphragm",
    "No Finding": "None of the 14 findings",
}


def test_sentences_are_about_their_own_finding():
    """No sentence stands at another finding, and the names shown are NIH's with spaces."""
    assert set(SUBJECTS) == set(LABELS)
    for finding in cxr_labels.TABLE:
        assert SUBJECTS[finding.name] in finding.sentence
        assert finding.display == finding.name.replace("_", " ").capitalize()


def test_every_label_has_a_name_and_one_sentence():
    """Each label has a display name without an underscore, and one sentence."""
    for finding in cxr_labels.TABLE:
        assert "_" not in finding.display
        assert cxr_labels.DISPLAY[finding.name] == finding.display
        assert re.fullmatch(r"[A-Z][^.]+\.", finding.sentence.replace("3 cm", "")), finding.name


def test_nothing_says_normal():
    """No text calls an image normal or healthy; "No Finding" does not mean that."""
    texts = [f"{finding.display} {finding.sentence}" for finding in cxr_labels.TABLE]
    assert not re.search("normal|healthy", " ".join(texts), re.I)


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("Mass", ("Mass",)),
        ("Atelectasis|Effusion", ("Atelectasis", "Effusion")),
        ("Hernia|Mass|Atelectasis", ("Atelectasis", "Mass", "Hernia")),
        (" Mass | Edema ", ("Mass", "Edema")),
        ("Mass|Mass", ("Mass",)),
        ("|".join(reversed(FINDINGS)), FINDINGS),
        ("No Finding", ("No Finding",)),
    ],
)
def test_parse(cell, labels):
    """A cell gives its labels in the order of LABELS, each once."""
    assert parse_labels(cell) == labels


def test_infiltrate_is_infiltration():
    """The box file's "Infiltrate" is the finding Infiltration."""
    assert parse_label("Infiltrate") == "Infiltration"
    assert parse_labels("Mass|Infiltrate") == ("Infiltration", "Mass")


@pytest.mark.parametrize("cell", ["Mass|Scoliosis", "mass|Scoliosis", "Scoliosis"])
def test_unknown_label_is_named_with_its_row(cell):
    """The message of an unknown label names the row."""
    with pytest.raises(LabelError, match=r"^Row 17: the label '(Scoliosis|mass)' "):
        parse_labels(cell, row=17)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Mass", "Mass"),
        ("pneumonia", "Pneumonia"),
        ("Pleural thickening", "Pleural_Thickening"),
        (" PLEURAL_THICKENING ", "Pleural_Thickening"),
        ("Pleural   Thickening", "Pleural_Thickening"),
        ("pleuralthickening", "Pleural_Thickening"),
        ("no finding", "No Finding"),
        ("NO_FINDING", "No Finding"),
        ("Scoliosis", None),
        ("", None),
    ],
)
def test_label_is_found_however_it_is_written(text, label):
    """Case, spaces and underscores do not matter to `find_label`."""
    assert cxr_labels.find_label(text) == label


def test_unknown_label_without_a_row():
    """Without a row the message still names the label."""
    with pytest.raises(LabelError, match=r"^the label 'Scoliosis'"):
        parse_label("Scoliosis")


@pytest.mark.parametrize("cell", ["Mass|", "|Mass", "Mass||Edema"])
def test_label_missing_between_bars_is_an_error(cell):
    """A bar with nothing before or after it is an error."""
    with pytest.raises(LabelError, match="''"):
        parse_labels(cell)


@pytest.mark.parametrize("cell", ["", "   "])
def test_empty_cell(cell):
    """An empty cell is an error that names the row: it must not count as "No Finding"."""
    with pytest.raises(LabelError, match=r"Row 3: .*empty"):
        parse_labels(cell, row=3)


def test_no_finding_beside_a_finding():
    """An image cannot both have a finding and have none."""
    with pytest.raises(LabelError, match=r"Row 5: 'No Finding\|Mass'"):
        parse_labels("No Finding|Mass", row=5)


@pytest.mark.parametrize("label", LABELS)
def test_encode_one(label):
    """A label sets the number at its position and no other."""
    target = encode((label,))
    assert target.dtype == np.uint8
    assert target.shape == (15,)
    assert np.flatnonzero(target).tolist() == [LABELS.index(label)] == [cxr_labels.index(label)]


def test_encode_inverts_parse():
    """The labels of a cell can be recovered from the encoded array."""
    cell = "Atelectasis|Nodule|Hernia"
    assert "|".join(np.array(LABELS)[encode(parse_labels(cell)) == 1]) == cell


def test_encode_nothing():
    """No labels give zeros."""
    assert not encode(()).any()
