"""The labels of NIH ChestX-ray14: names, order, prevalence and one plain sentence for each.

This module alone defines the order of the labels: all arrays over labels (targets, logits,
heatmaps, probabilities) are in the order of `LABELS`.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Finding:
    """One label of the data set.

    Attributes:
        name: NIH's spelling, used in files, JSON, CSV and endpoints.
        display: The name that is shown to people.
        sentence: What it is, in one sentence for a reader without medical training.
        nih_prevalence: Share of the 112,120 images of the full release that have the label, 0..1
            (counted in NIH's table Data_Entry_2017_v2020.csv).
    """

    name: str
    display: str
    sentence: str
    nih_prevalence: float


NO_FINDING = "No Finding"

TABLE: tuple[Finding, ...] = (
    Finding(
        "Atelectasis",
        "Atelectasis",
        "Part of a lung has lost its air and shrunk.",
        0.1031,
    ),
    Finding(
        "Cardiomegaly",
        "Cardiomegaly",
        "The heart looks larger than expected.",
        0.0248,
    ),
    Finding(
        "Effusion",
        "Effusion",
        "Fluid has gathered between the lung and the chest wall.",
        0.1188,
    ),
    Finding(
        "Infiltration",
        "Infiltration",
        "A hazy area where something denser than air, such as fluid or cells, lies in the lung.",
        0.1774,
    ),
    Finding(
        "Mass",
        "Mass",
        "A spot in the lung that is wider than 3 cm.",
        0.0516,
    ),
    Finding(
        "Nodule",
        "Nodule",
        "A small round spot in the lung, up to 3 cm wide.",
        0.0565,
    ),
    Finding(
        "Pneumonia",
        "Pneumonia",
        "Signs that fit an infection of the lung.",
        0.0128,
    ),
    Finding(
        "Pneumothorax",
        "Pneumothorax",
        "Air has escaped between the lung and the chest wall, and the lung may have collapsed.",
        0.0473,
    ),
    Finding(
        "Consolidation",
        "Consolidation",
        "An area of lung is filled with fluid or other material instead of air.",
        0.0416,
    ),
    Finding(
        "Edema",
        "Edema",
        "Fluid has built up inside the lungs, often because the heart pumps weakly.",
        0.0205,
    ),
    Finding(
        "Emphysema",
        "Emphysema",
        "The small air sacs of the lung are damaged and over-filled with air.",
        0.0224,
    ),
    Finding(
        "Fibrosis",
        "Fibrosis",
        "Scarring has made lung tissue thick and stiff.",
        0.0150,
    ),
    Finding(
        "Pleural_Thickening",
        "Pleural thickening",
        "The lining around the lung has become thicker.",
        0.0302,
    ),
    Finding(
        "Hernia",
        "Hernia",
        "An organ of the belly, often the stomach, bulges into the chest through the diaphragm.",
        0.0020,
    ),
    Finding(
        NO_FINDING,
        "No finding",
        "None of the 14 findings was noted in the report; it does not rule out disease.",
        0.5384,
    ),
)

LABELS: tuple[str, ...] = tuple(finding.name for finding in TABLE)
FINDINGS: tuple[str, ...] = tuple(label for label in LABELS if label != NO_FINDING)
DISPLAY: dict[str, str] = {finding.name: finding.display for finding in TABLE}
NIH_PREVALENCE: dict[str, float] = {finding.name: finding.nih_prevalence for finding in TABLE}

# The box file of the release spells one finding differently from the label table.
_ALIASES = {"Infiltrate": "Infiltration"}
_INDEX = {label: i for i, label in enumerate(LABELS)}


class LabelError(ValueError):
    """An unknown label, or labels that contradict each other."""


def parse_label(text: str, row: int | None = None) -> str:
    """Reads one label.

    Args:
        text: The label's name; spaces around it are ignored.
        row: Row of the table, for the error message.

    Returns:
        The label in NIH's spelling.

    Raises:
        LabelError: The label is unknown.
    """
    name = text.strip()
    name = _ALIASES.get(name, name)
    if name not in _INDEX:
        raise LabelError(
            f"{_place(row)}the label {name!r} is not one of the 15 known labels: "
            f"{', '.join(LABELS)}."
        )
    return name


def find_label(text: str) -> str | None:
    """Finds the label that a reader means, however they write it.

    Args:
        text: NIH's name or the name shown to people, in any case, with spaces or underscores.

    Returns:
        The label in NIH's spelling, or None if there is none.
    """
    return _BY_ANY_NAME.get(_fold(text))


def parse_labels(text: str, row: int | None = None) -> tuple[str, ...]:
    """Reads a cell of the label table, such as "Atelectasis|Effusion".

    Args:
        text: The cell.
        row: Row of the table, for the error message.

    Returns:
        The labels in the order of `LABELS`, each once.

    Raises:
        LabelError: A label is unknown, the cell is empty, or it has "No Finding" beside a finding.
    """
    names = {parse_label(part, row) for part in text.split("|")} if text.strip() else set()
    if not names:
        raise LabelError(
            f"{_place(row)}the cell of labels is empty; write {NO_FINDING!r} if an image has none."
        )
    if NO_FINDING in names and len(names) > 1:
        raise LabelError(f"{_place(row)}{text!r} has {NO_FINDING!r} together with a finding.")
    return tuple(label for label in LABELS if label in names)


def encode(labels: tuple[str, ...]) -> np.ndarray:
    """Labels as a uint8 array [15] of 0 and 1, in the order of `LABELS`."""
    target = np.zeros(len(LABELS), np.uint8)
    target[[_INDEX[label] for label in labels]] = 1
    return target


def index(label: str) -> int:
    """Position of a label in `LABELS`. Raises KeyError if the label is unknown."""
    return _INDEX[label]


def _fold(name: str) -> str:
    """A name as `find_label` compares it: without case, spaces and underscores."""
    return "".join(name.casefold().replace("_", " ").split())


_BY_ANY_NAME = {_fold(name): label for label, shown in DISPLAY.items() for name in (label, shown)}


def _place(row: int | None) -> str:
    return "" if row is None else f"Row {row}: "
