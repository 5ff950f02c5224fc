"""The training, validation and test set of a data set: train, valid and test.

Kinds of splits: `patient` (images of one person stay together), `official` (the release's own test
patients), `random` (image by image, as in the 2021 article, so that patients are in several sets),
or the path of a `splits.csv` that an earlier run wrote.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import atomic
from cxr.datasets.files import DataError
from cxr.datasets.nih import NihData, patient_names

TRAIN, VALID, TEST = "train", "valid", "test"
NAMES = (TRAIN, VALID, TEST)
KINDS = ("patient", "official", "random")
SHARES = {TRAIN: 0.7, VALID: 0.1, TEST: 0.2}

_COLUMNS = ["image_index", "patient", "split"]


def make(data: NihData, kind: str, seed: int) -> np.ndarray:
    """Puts each image into a set.

    Args:
        data: The images.
        kind: One of KINDS, or the path of a splits.csv.
        seed: The same seed gives the same split.

    Returns:
        "train", "valid" or "test" for each image, array of str [N].

    Raises:
        DataError: A set would be empty, or the file cannot be used.
    """
    rng = np.random.default_rng(seed)
    patients = data.table.patient.to_numpy()
    if kind == "random":
        split = _deal(np.arange(len(patients)), data.targets, SHARES, rng)
    elif kind == "patient":
        split = _deal(_numbered(patients), data.targets, SHARES, rng)
    elif kind == "official":
        split = _official(data, rng)
    elif Path(kind).is_file():
        split = _from_file(Path(kind), patients)
    else:
        raise DataError(
            f"The split {kind!r} is neither one of {', '.join(KINDS)} nor a splits.csv file."
        )
    for name in NAMES:
        if not (split == name).any():
            raise DataError(
                f"The {name} set of the split {kind!r} has no image: {len(patients)} images of "
                f"{len(set(patients))} patients are too few for it."
            )
    return split


def write(path: Path, data: NihData, split: np.ndarray) -> None:
    """Writes splits.csv with the columns image_index, patient, split."""
    columns = (data.table.image, data.table.patient, split)
    with atomic.replacing(path) as part:
        pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True))).to_csv(part, index=False)


def read(path: Path) -> pd.DataFrame:
    """Reads a splits.csv.

    Returns:
        A table of text with the columns image_index, patient, split.

    Raises:
        DataError: The file is not a list of splits.
    """
    try:
        table = pd.read_csv(path, usecols=_COLUMNS, dtype=str, keep_default_na=False)
        table["patient"] = patient_names(table.patient)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{str(path)!r} is not a list of splits; it needs the columns {', '.join(_COLUMNS)}."
        ) from error
    if (table.patient == "").any():
        raise DataError(f"{str(path)!r} has an image without a patient.")
    if not table.split.isin(NAMES).all():
        raise DataError(f"{str(path)!r} names a set other than {', '.join(NAMES)}.")
    return table


def shared_images(data: NihData, split: np.ndarray, name: str = VALID) -> int:
    """Counts the images of a set whose patient is in the training set too."""
    patients = data.table.patient
    return int(patients[split == name].isin(patients[split == TRAIN]).sum())


def official_test_patients() -> frozenset[str]:
    """Returns the 2,797 patients of the release's own test list."""
    text = resources.files("cxr.datasets").joinpath("official_test_patients.txt").read_text()
    return frozenset(text.split())


def _numbered(patients: np.ndarray) -> np.ndarray:
    """A number for each patient, in the order of their identifiers; "9" comes before "10"."""
    ordered = sorted(set(patients), key=lambda patient: (len(patient), patient))
    numbers = {patient: number for number, patient in enumerate(ordered)}
    return np.array([numbers[patient] for patient in patients])


def _deal(
    groups: np.ndarray, targets: np.ndarray, shares: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Deals whole groups (patients, or single images) to the sets; returns the set of each image.

    Groups are sorted by their rarest label and dealt by a low-discrepancy sequence. So each label
    falls to the sets in about the same shares. (Hernia has 12 images in 2,866: after a plain
    shuffle a set may have none.)
    """
    names, image_group = np.unique(groups, return_inverse=True)
    by_rarity = np.argsort(np.argsort(targets.sum(0)))
    image_rank = np.where(targets == 1, by_rarity, len(by_rarity)).min(1)
    rank = np.full(len(names), len(by_rarity))
    np.minimum.at(rank, image_group, image_rank)
    line = rng.permutation(len(names))
    line = line[np.argsort(rank[line], kind="stable")]
    golden_ratio = (5**0.5 - 1) / 2
    places = (rng.random() + golden_ratio * np.arange(len(line))) % 1.0
    ends = np.cumsum(list(shares.values())) / sum(shares.values())
    set_of_group = np.empty(len(names), dtype=object)
    set_of_group[line] = np.array(list(shares))[np.searchsorted(ends[:-1], places, side="right")]
    return set_of_group[image_group].astype(str)


def _official(data: NihData, rng: np.random.Generator) -> np.ndarray:
    """Test: the patients of the data's test_list.txt, or else of the stored list."""
    patients = data.table.patient
    if data.test_list:
        tested: Iterable[str] = set(patients[data.table.image.isin(data.test_list)])
    else:
        tested = official_test_patients()
    rest = ~patients.isin(list(tested)).to_numpy()
    split = np.full(len(patients), TEST, dtype=object)
    if rest.any():
        shares = {name: SHARES[name] for name in (TRAIN, VALID)}
        groups = _numbered(patients[rest].to_numpy())
        split[rest] = _deal(groups, data.targets[rest], shares, rng)
    return split.astype(str)


def _from_file(path: Path, patients: np.ndarray) -> np.ndarray:
    """The set that an earlier run gave each patient; new patients are trained on."""
    table = read(path)
    of_patient = table.groupby("patient").split.agg(set)
    mixed = of_patient[of_patient.map(len) > 1]
    if len(mixed):
        raise DataError(
            f"{str(path)!r} puts patient {mixed.index[0]} into more than one set; it was made "
            "with --split random and cannot be reused."
        )
    known = {patient: next(iter(names)) for patient, names in of_patient.items()}
    return np.array([known.get(patient, TRAIN) for patient in patients])
