"""Reads the label table and finds the images of NIH ChestX-ray14 in a folder or a zip.

Understands the Kaggle sample (`sample_labels.csv`, `images/`), the full release
(`Data_Entry_2017*.csv`, `images_001/images/` ...) and a zip of either, which is read in place.
"""

import io
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

import cxr_labels
from cxr import imaging
from cxr.datasets.files import DataError, Files, ImageSource, file_name, list_files
from cxr_labels import LabelError

IMAGE, LABEL_CELL, PATIENT = "Image Index", "Finding Labels", "Patient ID"
_AGE, _SEX, _VIEW = "Patient Age", ("Patient Gender", "Patient Sex"), "View Position"
_COLUMNS = (IMAGE, LABEL_CELL, PATIENT, _AGE, *_SEX, _VIEW)
_OLDEST = 110  # years; the release has ages such as 411
_BOX_LIST = r"BBox_List_2017.*\.csv"


@dataclass(frozen=True)
class Report:
    """What was wrong with the data, as names of images.

    Attributes:
        unusable_labels: {image name: those of its labels that are unknown}.
    """

    images_without_row: list[str] = field(default_factory=list)
    rows_without_image: list[str] = field(default_factory=list)
    duplicate_rows: list[str] = field(default_factory=list)
    duplicate_images: list[str] = field(default_factory=list)
    implausible_ages: list[str] = field(default_factory=list)
    unreadable_images: list[str] = field(default_factory=list)
    unusable_labels: dict[str, list[str]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Returns one sentence per problem, each with up to three names."""
        kinds = (
            ("images have no row in the label table and were left out", self.images_without_row),
            ("rows of the label table have no image and were left out", self.rows_without_image),
            ("images have more than one row; the first was used", self.duplicate_rows),
            ("images are in more than one place; the first was used", self.duplicate_images),
            ("ages are not plausible and count as unknown", self.implausible_ages),
            ("images cannot be read and were left out", self.unreadable_images),
        )
        sentences = [f"{len(names):,} {what} ({_some(names)})." for what, names in kinds if names]
        return sentences + self.label_sentences()

    def label_sentences(self) -> list[str]:
        """Returns a sentence on the images whose labels cannot be used, if there are any."""
        images = len(self.unusable_labels)
        if not images:
            return []
        labels = sorted({name for names in self.unusable_labels.values() for name in names})
        named = _some(list(map(repr, labels)))
        if images == 1:
            return [
                f"1 image has labels that are not of the 15 known ones ({named}) and was left out."
            ]
        return [
            f"{images:,} images have labels that are not of the 15 known ones ({named}) and were "
            "left out."
        ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@dataclass(frozen=True)
class NihData:
    """The usable images of a data set.

    Attributes:
        table: One row per image: `image` (file name), `patient` (text), `age` (years, nan if
            unknown), `sex` ("M", "F" or missing), `view` ("PA", "AP" or missing).
        targets: uint8 [N, 15], in the order of cxr_labels.LABELS.
        source: Where the images are.
        report: What was left out, and why.
        test_list: Image names of NIH's own test_list.txt, if it is part of the data.
        box_list: Content of NIH's BBox_List_2017.csv, if it is part of the data.
    """

    table: pd.DataFrame
    targets: np.ndarray
    source: ImageSource
    report: Report
    test_list: frozenset[str] = frozenset()
    box_list: bytes | None = None

    def keep(self, readable: np.ndarray) -> "NihData":
        """Returns the data without the images that cannot be read.

        Args:
            readable: bool [N].

        Raises:
            DataError: No image is left.
        """
        if not readable.any():
            raise DataError("None of the images can be read; check that the download is complete.")
        report = replace(self.report, unreadable_images=list(self.table.image[~readable]))
        table = self.table[readable].reset_index(drop=True)
        return replace(self, table=table, targets=self.targets[readable], report=report)


def load(data: str | Path, skip_unusable: bool = False) -> NihData:
    """Reads the label table of a folder or zip, and finds the images there.

    Args:
        data: Folder or zip.
        skip_unusable: Whether images with unknown labels are left out and reported.

    Raises:
        DataError: Nothing usable was found.
        LabelError: A label is unknown; with `skip_unusable` only if no image has usable labels.
    """
    data = Path(data)
    files = list_files(data)
    rows = _read_table(files)
    images, duplicate_images = _find_images(files)
    if not images:
        raise DataError(f"No images (PNG or JPEG) were found in {str(data)!r}.")
    duplicate = rows[IMAGE].duplicated()
    duplicate_rows = list(rows.loc[duplicate, IMAGE].unique())
    rows = rows[~duplicate]
    present = rows[IMAGE].isin(images.keys())
    if not present.any():
        raise DataError(
            f"None of the {len(rows):,} images in the label table was found in {str(data)!r}; "
            "unpack the images beside the table."
        )
    with_row = set(rows[IMAGE])
    kept, targets, unusable = _parse_targets(rows[present], skip_unusable)
    ages, implausible = _parse_ages(kept)
    report = Report(
        images_without_row=sorted(name for name in images if name not in with_row),
        rows_without_image=list(rows.loc[~present, IMAGE]),
        duplicate_rows=duplicate_rows,
        duplicate_images=duplicate_images,
        implausible_ages=implausible,
        unusable_labels=unusable,
    )
    table = pd.DataFrame(
        {
            "image": kept[IMAGE].to_numpy(),
            "patient": _parse_patients(kept),
            "age": ages,
            "sex": _one_of(kept, next((c for c in _SEX if c in kept), ""), ("M", "F")),
            "view": _one_of(kept, _VIEW, ("PA", "AP")),
        }
    )
    places = {name: images[name] for name in table.image}
    source = ImageSource(places, None if data.is_dir() else str(data))
    return NihData(table, targets, source, report, _read_test_list(files), _read_box_list(files))


def _read_table(files: Files) -> pd.DataFrame:
    """The label table as cells of text. Of several tables, the one with the most rows."""
    tables, names = [], []
    for path in files.named(rf"(?!{_BOX_LIST}).*\.csv"):
        content = files.read(path)
        names.append(file_name(path))
        first_line = content.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
        if IMAGE in first_line and LABEL_CELL in first_line:
            tables.append(_parse_table(content, names[-1]))
    if not tables:
        others = f" ({', '.join(names[:3])} is something else)" if names else ""
        raise DataError(
            f"No label table was found in {str(files.root)!r}{others}; it needs "
            "sample_labels.csv or Data_Entry_2017.csv with the columns "
            f"{IMAGE!r}, {LABEL_CELL!r} and {PATIENT!r}."
        )
    table = max(tables, key=len)
    if not {IMAGE, LABEL_CELL} <= set(table):
        raise DataError(
            f"The label table has no columns {IMAGE!r} and {LABEL_CELL!r} separated by commas."
        )
    if PATIENT not in table:
        raise DataError(
            f"The label table has no column {PATIENT!r}, without which images of one person "
            "cannot be kept together."
        )
    if table.empty:
        raise DataError("The label table has no rows.")
    return table.assign(**{IMAGE: table[IMAGE].str.strip()})


def _parse_table(content: bytes, name: str) -> pd.DataFrame:
    """The columns of `_COLUMNS` that a table has, as text; row i is line i + 2 of the file."""
    try:
        # The full release's header spells `OriginalImage[Width,Height]` over two columns and
        # ends each row with a comma, so columns are found by name, not by position.
        table = pd.read_csv(
            io.BytesIO(content),
            usecols=lambda column: column.strip() in _COLUMNS,
            dtype=str,
            index_col=False,
            keep_default_na=False,
            skip_blank_lines=False,
        )
    except ValueError as error:  # base class of pandas' ParserError and of UnicodeDecodeError
        raise DataError(
            f"The label table {name!r} is not a complete CSV file in UTF-8; download it again."
        ) from error
    table = table.rename(columns=str.strip).fillna("")
    return table[(table != "").any(axis=1)]


def _find_images(files: Files) -> tuple[dict[str, str], list[str]]:
    """{name: path} of the images, and the names that occur more than once."""
    images: dict[str, str] = {}
    duplicates = []
    for path in files.paths:
        name = file_name(path)
        if name.lower().endswith(imaging.SUFFIXES):
            if name in images:
                duplicates.append(name)
            else:
                images[name] = path
    return images, list(dict.fromkeys(duplicates))


def _parse_targets(
    rows: pd.DataFrame, skip_unusable: bool
) -> tuple[pd.DataFrame, np.ndarray, dict[str, list[str]]]:
    """The rows with usable labels, their targets uint8 [N, 15], and the labels of the others."""
    targets, usable = [], []
    unusable: dict[str, list[str]] = {}
    first: LabelError | None = None
    for row, image, cell in zip(rows.index, rows[IMAGE], rows[LABEL_CELL], strict=True):
        try:
            targets.append(cxr_labels.encode(cxr_labels.parse_labels(cell, row=int(row) + 2)))
            usable.append(row)
        except LabelError as error:
            if not skip_unusable:
                raise
            first = first or error
            unusable[image] = _unknown_labels(cell) or [cell]
    if first and not targets:
        raise first
    return rows.loc[usable], np.stack(targets), unusable


def _unknown_labels(cell: str) -> list[str]:
    unknown = []
    for name in cell.split("|"):
        try:
            cxr_labels.parse_label(name)
        except LabelError:
            unknown.append(name.strip())
    return unknown


def _parse_patients(rows: pd.DataFrame) -> np.ndarray:
    patients = patient_names(rows[PATIENT])
    if (patients == "").any():
        row = int(patients.index[patients == ""][0])
        raise DataError(
            f"Row {row + 2} of the label table has no {PATIENT!r}, without which images of one "
            "person cannot be kept together."
        )
    return patients.to_numpy(dtype=object)


def patient_names(cells: pd.Series) -> pd.Series:
    """Returns patient identifiers as text: "H0" stays, "00000013" and "13.0" become "13"."""
    return cells.str.strip().str.replace(r"^0*(\d+)(\.0)?$", r"\1", regex=True)


def _parse_ages(rows: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Ages in years of "060Y", "60", "011M", "023D"; names of the images with another age."""
    if _AGE not in rows:
        return np.full(len(rows), np.nan), []
    cells = rows[_AGE].str.strip()
    parts = cells.str.extract(r"^(\d+)\s*([YMD]?)$", flags=re.I)
    per_year = parts[1].str.upper().map({"Y": 1.0, "": 1.0, "M": 12.0, "D": 365.25})
    years = (pd.to_numeric(parts[0]) / per_year).to_numpy(dtype=float)
    implausible = (cells.to_numpy() != "") & ~(years <= _OLDEST)
    return np.where(implausible, np.nan, years), list(rows[IMAGE].to_numpy()[implausible])


def _one_of(rows: pd.DataFrame, column: str, allowed: tuple[str, ...]) -> np.ndarray:
    """The cells of a column; None where they are not allowed, or there is no such column."""
    if column not in rows:
        return np.full(len(rows), None, dtype=object)
    cells = rows[column].str.strip().str.upper()
    return cells.where(cells.isin(allowed), None).to_numpy(dtype=object)


def _read_test_list(files: Files) -> frozenset[str]:
    names: set[str] = set()
    for path in files.named(r"test_list(_NIH)?\.txt"):
        names.update(files.read(path).decode("utf-8-sig", "replace").split())
    return frozenset(names)


def _read_box_list(files: Files) -> bytes | None:
    found = files.named(_BOX_LIST)
    try:
        return files.read(found[0]) if found else None
    except DataError:
        return b""  # damaged: an error only for those who need the boxes
