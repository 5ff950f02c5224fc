"""Finds the label table and the images of NIH ChestX-ray14 in a folder or a zip.

Understands the Kaggle sample (`sample_labels.csv`, `images/`), the full release
(`Data_Entry_2017*.csv`, `images_001/images/` ...) and a zip of either, which is read in place.
"""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

import cxr_labels
from cxr import imaging
from cxr_labels import LabelError

IMAGE, LABEL_CELL, PATIENT = "Image Index", "Finding Labels", "Patient ID"
_AGE, _SEX, _VIEW = "Patient Age", ("Patient Gender", "Patient Sex"), "View Position"
_OLDEST = 110  # years; the release has ages such as 411
_COLUMNS = (IMAGE, LABEL_CELL, PATIENT, _AGE, *_SEX, _VIEW)

_BOX_LIST = r"BBox_List_2017.*\.csv"

# What zipfile raises on a member that is damaged, cut off, encrypted or packed in a rare way.
_BROKEN_MEMBER = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Report:
    """What was wrong with the data; every list holds image names.

    unusable_labels: {image name: what its row says that cannot be used}.
    """

    images_without_row: list[str] = field(default_factory=list)
    rows_without_image: list[str] = field(default_factory=list)
    duplicate_rows: list[str] = field(default_factory=list)
    duplicate_images: list[str] = field(default_factory=list)
    implausible_ages: list[str] = field(default_factory=list)
    unreadable_images: list[str] = field(default_factory=list)
    unusable_labels: dict[str, list[str]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """One sentence for each kind of trouble there was, with up to three names."""
        kinds = (
            ("images have no row in the label table and were left out", self.images_without_row),
            ("rows of the label table have no image and were left out", self.rows_without_image),
            ("images have more than one row; the first was taken", self.duplicate_rows),
            ("images lie in more than one place; the first was taken", self.duplicate_images),
            ("ages are not plausible and were taken as unknown", self.implausible_ages),
            ("images cannot be read and were left out", self.unreadable_images),
        )
        return [
            f"{len(names):,} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})."
            for what, names in kinds
            if names
        ] + self.label_sentences()

    def label_sentences(self) -> list[str]:
        """One sentence on the images whose labels cannot be used, with up to three labels."""
        if not self.unusable_labels:
            return []
        images = len(self.unusable_labels)
        names = sorted({name for names in self.unusable_labels.values() for name in names})
        named = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        what = "image has labels" if images == 1 else "images have labels"
        left_out = "was left out" if images == 1 else "were left out"
        return [f"{images:,} {what} that are not of the 15 known ones ({named}) and {left_out}."]


@dataclass(frozen=True)
class ImageSource:
    """Where the images lie: file name -> path, or -> member of the zip `archive`."""

    places: dict[str, str]
    archive: str | None = None

    def reader(self) -> "ImageReader":
        """Opens the source in this process."""
        return ImageReader(self)

    def signatures(self, names: Iterable[str]) -> np.ndarray:
        """uint64 [N], one an image, that changes when its file does (size and time, or CRC)."""
        if self.archive:
            with zipfile.ZipFile(self.archive) as archive:
                marks = [(m.CRC, m.file_size) for m in map(archive.getinfo, self._paths(names))]
        else:
            marks = [(s.st_mtime_ns, s.st_size) for s in map(os.stat, self._paths(names))]
        both = np.array(marks, np.uint64).reshape(-1, 2)
        return both[:, 0] * np.uint64(1_000_003) + both[:, 1]

    def _paths(self, names: Iterable[str]) -> list[str]:
        return [self.places[name] for name in names]


class ImageReader:
    """Reads the bytes of images; one a process, whose threads may share it: zipfile locks."""

    def __init__(self, source: ImageSource):
        self._places = source.places
        self._archive = zipfile.ZipFile(source.archive) if source.archive else None

    def read(self, name: str) -> bytes:
        """The bytes of an image. Raises OSError when they cannot be had."""
        return self.read_at(self._places[name])

    def read_at(self, place: str) -> bytes:
        """The bytes of the image at a place of `ImageSource.places`; raises as `read` does."""
        if not self._archive:
            return Path(place).read_bytes()
        try:
            return self._archive.read(place)
        except _BROKEN_MEMBER as error:
            raise OSError(f"{place!r} is damaged in its zip") from error


@dataclass(frozen=True)
class NihData:
    """The usable images of a data set.

    table: one row an image: `image` (file name), `patient` (int), `age` (years, nan if unknown),
        `sex` ("M", "F" or missing), `view` ("PA", "AP" or missing).
    targets: uint8 [N, 15], in the order of cxr_labels.LABELS.
    source: where the images lie.
    report: what was left out, and why.
    test_list: image names of NIH's own test_list.txt, where it lies in the data.
    box_list: the bytes of NIH's BBox_List_2017.csv, where it lies in the data.
    """

    table: pd.DataFrame
    targets: np.ndarray
    source: ImageSource
    report: Report
    test_list: frozenset[str] = frozenset()
    box_list: bytes | None = None

    def keep(self, readable: np.ndarray) -> "NihData":
        """The same data without the images where `readable` (bool [N]) is false.

        Raises DataError when none is left.
        """
        if not readable.any():
            raise DataError("None of the images can be read; check that the download is complete.")
        report = Report(
            **{
                **self.report.__dict__,
                "unreadable_images": list(self.table.image[~readable]),
            }
        )
        table = self.table[readable].reset_index(drop=True)
        return replace(self, table=table, targets=self.targets[readable], report=report)


def load(data: str | Path, skip_unusable: bool = False) -> NihData:
    """Reads the label table in a folder or zip and matches it with the images there.

    skip_unusable: leave out images whose labels cannot be used, and report them.
    Raises DataError when nothing usable is found, LabelError on an unknown label; with
    `skip_unusable` only where no image has usable labels.
    """
    data = Path(data)
    files = _list_files(data)
    rows = _read_table(files)
    images, duplicate_images = _find_images(files)
    duplicate_rows = list(rows.loc[rows[IMAGE].duplicated(), IMAGE].unique())
    rows = rows[~rows[IMAGE].duplicated()]
    present = rows[IMAGE].isin(images.keys())
    if not images:
        raise DataError(f"No images (PNG or JPEG) were found in {str(data)!r}.")
    if not present.any():
        raise DataError(
            f"None of the {len(rows):,} images in the label table was found in {str(data)!r}; "
            "unpack the images beside the table."
        )
    named = set(rows[IMAGE])
    kept, targets, unusable = _parse_targets(rows[present], skip_unusable)
    ages, implausible = _parse_ages(kept)
    report = Report(
        images_without_row=sorted(name for name in images if name not in named),
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


@dataclass(frozen=True)
class _Files:
    """The files below a folder or in a zip: paths as text, and how to read one."""

    root: Path
    paths: list[str]

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises DataError when they cannot be had."""
        try:
            if self.root.is_dir():
                return Path(path).read_bytes()
            with zipfile.ZipFile(self.root) as archive:
                return archive.read(path)
        except (OSError, *_BROKEN_MEMBER) as error:
            raise DataError(
                f"{path!r} in {str(self.root)!r} cannot be read; download the data again."
            ) from error

    def named(self, pattern: str) -> list[str]:
        """Paths whose file name fits, those nearest to the root first."""
        fits = re.compile(pattern, re.I).fullmatch
        fitting = [path for path in self.paths if fits(_name(path))]
        return sorted(fitting, key=lambda p: (p.count("/"), p))


def _list_files(data: Path) -> _Files:
    if data.is_dir():
        found = _walk(data)
    elif data.is_file():
        try:
            with zipfile.ZipFile(data) as archive:
                found = [m.filename for m in archive.infolist() if not m.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(
                f"{str(data)!r} is not a complete zip file; download it again."
            ) from error
    else:
        raise DataError(f"There is no folder or zip file {str(data)!r}; check the path.")
    # macOS puts shadow copies of every file into its zips.
    kept = [p for p in found if "__MACOSX" not in p and not _name(p).startswith("._")]
    return _Files(data, sorted(kept))


def _name(path: str) -> str:
    """The last part of a path; a Path object for each of 112,120 images would take seconds."""
    return path.rpartition("/")[2]


def _walk(root: Path) -> list[str]:
    """The files below a folder; links are followed, but no folder is entered twice."""
    found = []
    entered = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        found += [os.path.join(folder, name) for name in names]
    return found


def _read_table(files: _Files) -> pd.DataFrame:
    """The label table as text cells. Of several, the one with the most rows."""
    tables = []
    seen = []
    for path in files.named(rf"(?!{_BOX_LIST}).*\.csv"):
        head = files.read(path)
        seen.append(_name(path))
        first_line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
        if IMAGE in first_line and LABEL_CELL in first_line:
            tables.append(_parse_table(head, seen[-1]))
    if not tables:
        others = f" ({', '.join(seen[:3])} is something else)" if seen else ""
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


def _parse_table(data: bytes, name: str) -> pd.DataFrame:
    """The columns of `_COLUMNS` that a label table has, as text; row i stands in line i + 2."""
    try:
        # The full release's header spells `OriginalImage[Width,Height]` over two columns and
        # ends each row with a comma: columns are taken by name, never by place.
        table = pd.read_csv(
            io.BytesIO(data),
            usecols=lambda column: column.strip() in _COLUMNS,
            dtype=str,
            index_col=False,
            keep_default_na=False,
            skip_blank_lines=False,
        )
    except ValueError as error:  # pandas.errors.ParserError and UnicodeDecodeError are such
        raise DataError(
            f"The label table {name!r} is not a complete CSV file in UTF-8; download it again."
        ) from error
    table = table.rename(columns=str.strip).fillna("")
    return table[(table != "").any(axis=1)]


def _find_images(files: _Files) -> tuple[dict[str, str], list[str]]:
    images: dict[str, str] = {}
    duplicates = []
    for path in files.paths:
        name = _name(path)
        if name.lower().endswith(imaging.SUFFIXES):
            if name in images:
                duplicates.append(name)
            else:
                images[name] = path
    return images, list(dict.fromkeys(duplicates))


def _parse_targets(
    rows: pd.DataFrame, skip_unusable: bool
) -> tuple[pd.DataFrame, np.ndarray, dict[str, list[str]]]:
    """The rows whose labels can be used, their targets uint8 [N, 15], and what others say."""
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
    """The labels in a cell that are not of the 15."""
    unknown = []
    for name in cell.split("|"):
        try:
            cxr_labels.parse_label(name)
        except LabelError:
            unknown.append(name.strip())
    return unknown


def _parse_patients(rows: pd.DataFrame) -> np.ndarray:
    numbers = pd.to_numeric(rows[PATIENT], errors="coerce").astype(float)
    bad = ~((numbers % 1 == 0) & (numbers.abs() < 2**53))  # true of nan and infinity too
    if bad.any():
        row = int(numbers.index[bad][0])
        raise DataError(
            f"Row {row + 2} of the label table has {rows[PATIENT][row]!r} for {PATIENT!r}, "
            "which is not a whole number."
        )
    return numbers.astype(np.int64).to_numpy()


def _parse_ages(rows: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Ages in years: "060Y", "60", "011M", "023D"; the names of images with an age past 110."""
    if _AGE not in rows:
        return np.full(len(rows), np.nan), []
    parts = rows[_AGE].str.strip().str.extract(r"^(\d+)\s*([YMD]?)$", flags=re.I)
    per_year = parts[1].str.upper().map({"Y": 1.0, "": 1.0, "M": 12.0, "D": 365.25})
    years = (pd.to_numeric(parts[0]) / per_year).to_numpy(dtype=float)
    known = rows[_AGE].str.strip().to_numpy() != ""
    bad = known & ~(years <= _OLDEST)
    return np.where(bad, np.nan, years), list(rows[IMAGE].to_numpy()[bad])


def _one_of(rows: pd.DataFrame, column: str, allowed: tuple[str, ...]) -> np.ndarray:
    if column not in rows:
        return np.full(len(rows), None, dtype=object)
    cells = rows[column].str.strip().str.upper()
    return cells.where(cells.isin(allowed), None).to_numpy(dtype=object)


def _read_test_list(files: _Files) -> frozenset[str]:
    names: set[str] = set()
    for path in files.named(r"test_list(_NIH)?\.txt"):
        names.update(files.read(path).decode("utf-8-sig", "replace").split())
    return frozenset(names)


def _read_box_list(files: _Files) -> bytes | None:
    found = files.named(_BOX_LIST)
    try:
        return files.read(found[0]) if found else None
    except DataError:
        return b""  # damaged: who wants boxes will say so, and who does not needs none
