"""The model folder: where the training half and the serving half meet.

`write_config` and `load` are the two ends of `config.json`; the other files beside it are named
here. A folder is rejected with one sentence when it is not complete, not of this version, not of
these labels, or when `model.onnx` is not the file that the config was written for.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cxr import atomic
from cxr.model import box_rule
from cxr.model.box_rule import BoxRule
from cxr_labels import LABELS

FORMAT_VERSION = 1

NIH, TRAINING = "nih", "training"  # whose prevalences a config holds

CONFIG = "config.json"
ONNX = "model.onnx"
SAFETENSORS = "model.safetensors"
FASTAI = "model.pkl"
PYPROJECT = "pyproject.toml"  # what the pickle needs, for those who load it from the Hub
SPLITS = "splits.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
CARD = "README.md"
HISTORY = "history.csv"
OOD_IMAGES = "ood_images.json"
FIGURES = "figures"
BATCH = "batch.png"  # of the figures the one that shows images: for the run's folder alone
EXAMPLES = "examples"
REPORT = "report.html"

NOT_FOR_CLINICAL_USE = "A research demo, not for clinical use."


class ModelFolderError(ValueError):
    """A model folder that cannot be used; the message is one sentence for a layman."""


@dataclass(frozen=True)
class Config:
    """What `config.json` says of the model.

    labels: NIH spelling, in the order of the outputs.
    architecture, pooling: the timm body and how a logit is pooled from its heatmap.
    image_size: side of the square input in pixels.
    calibration: {label: (a, b)}, probability = sigmoid(a * logit + b) at training prevalence.
    thresholds: {label: p} at training prevalence; a label without one is never flagged.
    prevalence: {"training": {label: share}, "nih": {label: share}}.
    threshold_rule: what chose the thresholds on the validation images.
    accuracy_threshold: the one for all labels with the best accuracy there, at training prevalence.
    operating_points: {label: {positives, sensitivity, specificity and their intervals}} there.
    box_rule: what turns an heatmap into boxes.
    input check: {file, sha256, warn_above, reject_above}, what tells chest X-rays from other images;
        None in folders without it, where every image is answered.
    sha256: hex digest of model.onnx.
    training: seed, split, epochs, data, commit and the like; for people, not for the code.
    metrics: the headline figures, copied from metrics.json.
    """

    labels: tuple[str, ...]
    architecture: str
    pooling: str
    image_size: int
    calibration: dict[str, tuple[float, float]]
    thresholds: dict[str, float]
    prevalence: dict[str, dict[str, float]]
    sha256: str
    threshold_rule: str = "youden"
    accuracy_threshold: float = 0.5
    operating_points: dict[str, Any] = field(default_factory=dict)
    box_rule: BoxRule = field(default_factory=BoxRule)
    input_check: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


def write_config(folder: Path, config: Config) -> None:
    """Writes config.json into the folder."""
    write_json(folder / CONFIG, asdict(config))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes strict JSON (no NaN) in one step."""
    atomic.write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def load(folder: str | Path) -> Config:
    """Reads and checks a model folder: its config, its labels, the hash of model.onnx.

    Raises ModelFolderError with one sentence that says what does not fit.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFolderError(f"There is no model folder {str(folder)!r}.")
    if not (folder / CONFIG).is_file():
        raise ModelFolderError(f"{str(folder)!r} is not a model folder: it has no {CONFIG}.")
    config = read_config(folder / CONFIG)
    onnx = folder / ONNX
    if not onnx.is_file():
        raise ModelFolderError(f"The model folder {str(folder)!r} has no {ONNX}.")
    if sha256(onnx) != config.sha256:
        raise ModelFolderError(
            f"{ONNX} in {str(folder)!r} is not the file that {CONFIG} was written for; "
            "fetch or train the model again."
        )
    return config


def read_config(path: Path, name: str | None = None) -> Config:
    """Reads and checks a config.json, without the model beside it.

    name: what the message calls it (default: its path). Raises ModelFolderError.
    """
    name = name or str(path)
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise ValueError("it is too large")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(f"{name!r} cannot be read as JSON.") from error
    if not isinstance(raw, dict) or raw.get("format_version") != FORMAT_VERSION:
        version = raw.get("format_version") if isinstance(raw, dict) else None
        raise ModelFolderError(
            f"The model folder has format version {version!r}, and this program reads version "
            f"{FORMAT_VERSION}; update the program or choose another model."
        )
    if raw.get("labels") != list(LABELS):
        raise ModelFolderError(
            f"The labels in {name!r} are not the 15 of this program in their order."
        )
    found: dict[str, Any] = {}
    for entry, (read, must_be) in _ENTRIES.items():
        if entry not in raw and entry in _ADDED:
            continue
        try:
            found[entry] = read(raw[entry])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelFolderError(
                f"{name!r} cannot be used: {entry!r} is missing or wrong; it must be {must_be}."
            ) from error
    return Config(labels=LABELS, **found)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, int) or not 32 <= value <= 2048:
        raise ValueError("a whole number in the range")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a finite number")
    return float(value)


def _share(value: Any) -> float:
    number = _number(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError("a share")
    return number


def _interval(value: Any) -> tuple[float, float]:
    low, high = (_number(end) for end in value)
    if low > high:
        raise ValueError("a lower end and an upper one")
    return low, high


def _calibration(value: Any) -> dict[str, tuple[float, float]]:
    return {label: _slope_and_shift(value[label]) for label in LABELS}


def _slope_and_shift(value: Any) -> tuple[float, float]:
    a, b = (_number(v) for v in value)
    if not (0 < a <= _LARGEST and abs(b) <= _LARGEST):
        raise ValueError("a pair in the range")
    return a, b


def _thresholds(value: Any) -> dict[str, float]:
    return {label: _share(v) for label, v in value.items() if label in LABELS}


def _prevalence(value: Any) -> dict[str, dict[str, float]]:
    return {
        name: {label: _share(value[name][label]) for label in LABELS} for name in (TRAINING, NIH)
    }


def _rule(value: Any) -> str:
    if not _RULE.fullmatch(value.strip()):
        raise ValueError("a rule")
    return value.strip()


def _operating_points(value: Any) -> dict[str, Any]:
    for figure in (figure for point in value.values() for figure in point.values()):
        if isinstance(figure, list):
            _interval(figure)
        elif figure is not None:
            _number(figure)
    return dict(value)


def _input_check(value: Any) -> dict[str, Any] | None:
    if value is None:  # as of a folder that was written without a input check
        return None
    for name in ("file", "sha256"):
        _text(value[name])
    for name in ("warn_above", "reject_above"):
        _number(value[name])
    return _facts(value)


def _facts(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object")
    return value


def _headline(value: Any) -> dict[str, Any]:
    for name in ("mean_auroc", "metadata_only_mean_auroc"):
        if value.get(name) is not None:
            _share(value[name])
    if value.get("mean_auroc_ci95") is not None:
        for end in _interval(value["mean_auroc_ci95"]):
            _share(end)
    return _facts(value)


_LARGEST_CONFIG = 16 * 2**20  # bytes; those of training runs have some 20,000
_LARGEST = 1e6  # of the numbers of a calibration
_RULE = re.compile(r"youden|f1|accuracy|sensitivity=\s*\d*\.?\d+(e-?\d+)?")

# What each entry of config.json is read by, and what it must be.
_ENTRIES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "architecture": (_text, "a text"),
    "pooling": (_text, "a text"),
    "image_size": (_size, "a whole number from 32 to 2048"),
    "calibration": (
        _calibration,
        "for each of the 15 labels a number above 0 and another, both at most a million",
    ),
    "thresholds": (_thresholds, "for some of the labels a share between 0 and 1"),
    "prevalence": (
        _prevalence,
        "for 'training' and for 'nih' the share of each of the 15 labels, between 0 and 1",
    ),
    "sha256": (_text, "the hash of model.onnx"),
    "threshold_rule": (_rule, "youden, f1, accuracy or such as sensitivity=0.9"),
    "accuracy_threshold": (_share, "a share between 0 and 1"),
    "operating_points": (_operating_points, "finite figures and their intervals by label"),
    "box_rule": (
        box_rule.parse,
        "height, pull, fine (a whole number) and sizes, each in its range",
    ),
    "input_check": (_input_check, "file, sha256 and the numbers warn_above and reject_above"),
    "training": (_facts, "an object"),
    "metrics": (_headline, "an object whose mean AUROC and its interval lie between 0 and 1"),
}
# Entries that older folders are without.
_ADDED = {
    entry.name
    for entry in fields(Config)
    if entry.default is not MISSING or entry.default_factory is not MISSING
}
