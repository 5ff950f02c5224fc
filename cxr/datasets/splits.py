"""Who is trained on, who is chosen by, who is reported on: train, valid and test.

Kinds: `patient` (images of one person stay together), `official` (the release's own test
patients), `random` (image by image, as the 2021 article did: it leaks), or the path of a
`splits.csv` that an earlier run wrote.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import atomic
from cxr.datasets.nih import DataError, NihData

TRAIN, VALID, TEST = "train", "valid", "test"
NAMES = (TRAIN, VALID, TEST)
KINDS = ("patient", "official", "random")
SHARES = {TRAIN: 0.7, VALID: 0.1, TEST: 0.2}

_COLUMNS = ["image_index", "patient", "split"]


def make(data: NihData, kind: str, seed: int) -> np.ndarray:
    """The set of each image: "train", "valid" or "test", array of str [N].

    kind: one of KINDS, or the path of a splits.csv. Deterministic by seed.
    Raises DataError when a set would stay empty.
    """
    rng = np.random.default_rng(seed)
    patients = data.table.patient.to_numpy()
    if kind == "random":
        split = _deal(np.arange(len(patients)), data.targets, SHARES, rng)
    elif kind == "patient":
        split = _deal(patients, data.targets, SHARES, rng)
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
                f"{len(np.unique(patients))} patients are too few for it."
            )
    return split


def write(path: Path, data: NihData, split: np.ndarray) -> None:
    """Writes splits.csv: image_index, patient, split."""
    table = pd.DataFrame(
        dict(zip(_COLUMNS, (data.table.image, data.table.patient, split), strict=True))
    )
    with atomic.replacing(path) as part:
        table.to_csv(part, index=False)


def read(path: Path) -> pd.DataFrame:
    """Reads a splits.csv: image_index (str), patient (int), split. Raises DataError."""
    try:
        table = pd.read_csv(path, usecols=_COLUMNS, dtype={"image_index": str, "patient": int})
    except (OSError, ValueError) as error:
        raise DataError(
            f"{str(path)!r} is not a list of splits; it needs the columns {', '.join(_COLUMNS)}."
        ) from error
    if not table.split.isin(NAMES).all():
        raise DataError(f"{str(path)!r} names a set other than {', '.join(NAMES)}.")
    return table


def shared_images(data: NihData, split: np.ndarray, name: str = VALID) -> int:
    """How many images of the set share a patient with the training set: 0 unless it leaks."""
    patients = data.table.patient.to_numpy()
    return int(np.isin(patients[split == name], patients[split == TRAIN]).sum())


def official_test_patients() -> frozenset[int]:
    """The 2,797 patients of the release's own test list."""
    text = resources.files("cxr.datasets").joinpath("official_test_patients.txt").read_text()
    return frozenset(map(int, text.split()))


def _deal(
    groups: np.ndarray, targets: np.ndarray, shares: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Deals whole groups (patients, or single images) to the sets; returns the set of each image.

    Groups are lined up by their rarest label and dealt by a low-discrepancy sequence, so that
    every stretch of the line, and with it every label, falls to the sets in about the same
    shares. (Hernia has 12 images in 2,866: a plain shuffle may leave a set with none.)
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
    """Test: the patients of NIH's test_list.txt where the data has it, else the stored ones."""
    patients = data.table.patient
    if data.test_list:
        test_patients: Iterable[int] = set(patients[data.table.image.isin(data.test_list)])
    else:
        test_patients = official_test_patients()
    is_test = patients.isin(list(test_patients)).to_numpy()
    split = np.full(len(patients), TEST, dtype=object)
    if not is_test.all():
        rest = {name: SHARES[name] for name in (TRAIN, VALID)}
        split[~is_test] = _deal(patients[~is_test].to_numpy(), data.targets[~is_test], rest, rng)
    return split.astype(str)


def _from_file(path: Path, patients: np.ndarray) -> np.ndarray:
    """The set that an earlier run gave each patient; patients it did not know are trained on."""
    table = read(path)
    of_patient = table.groupby("patient").split.agg(set)
    mixed = of_patient[of_patient.map(len) > 1]
    if len(mixed):
        raise DataError(
            f"{str(path)!r} puts patient {mixed.index[0]} into more than one set; it was made "
            "with --split random and cannot be reused."
        )
    known = {patient: next(iter(names)) for patient, names in of_patient.items()}
    return np.array([known.get(patient, TRAIN) for patient in patients.tolist()])
