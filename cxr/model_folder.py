"""The model folder: where the training half and the serving half meet.

`write_config` and `load` are the two ends of `config.json`; the other files beside it are named
here. A folder is refused with one sentence when it is not complete, not of this version, not of
these labels, or when `model.onnx` is not the file that the config was written for.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cxr import atomic, box_rule, probability
from cxr.box_rule import BoxRule
from cxr.prevalence import DEFAULT, NIH, TRAINING, Prevalence
from cxr_labels import LABELS

FORMAT_VERSION = 1

CONFIG = "config.json"
ONNX = "model.onnx"
SAFETENSORS = "model.safetensors"
FASTAI = "model.pkl"
SPLITS = "splits.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
CARD = "README.md"
FIGURES = "figures"
EXAMPLES = "examples"
REPORT = "report.html"

NOT_FOR_CLINICAL_USE = "A research demo, not for clinical use."


class ModelFolderError(ValueError):
    """A model folder that cannot be used; the message is one sentence for a layman."""


@dataclass(frozen=True)
class Config:
    """What `config.json` says of the model.

    labels: NIH spelling, in the order of the outputs.
    architecture, pooling: the timm body and how a logit is pooled from its evidence map.
    image_size: side of the square input in pixels.
    calibration: {label: (a, b)}, probability = sigmoid(a * logit + b) at training prevalence.
    thresholds: {label: p} at training prevalence; a label without one is never flagged.
    prevalence: {"training": {label: share}, "nih": {label: share}}.
    threshold_rule: what chose the thresholds on the validation films.
    accuracy_threshold: the one for all labels with the best accuracy there, at training prevalence.
    operating_points: {label: {positives, sensitivity, specificity and their intervals}} there.
    box_rule: what turns an evidence map into boxes.
    screening: {file, sha256, warn_above, refuse_above}, what tells chest films from other pictures;
        None in folders without it, where every picture is answered.
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
    screening: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def probabilities(self, logits: np.ndarray, prevalence: Prevalence = DEFAULT) -> np.ndarray:
        """Logits [..., 15] -> probabilities [..., 15] at the stated prevalence.

        probability = sigmoid(a * logit + b + shift), the shift moving the log-odds from the
        training prevalence to the stated one.
        """
        a, b = np.array([self.calibration[label] for label in self.labels]).T
        moved = probability.log_odds_shift(self.shares(TRAINING), self.shares(prevalence))
        return probability.sigmoid(np.asarray(logits, np.float64) * a + b + moved)

    def thresholds_at(self, prevalence: Prevalence = DEFAULT) -> np.ndarray:
        """Thresholds [15] at the stated prevalence; nan where a label has none.

        They shift as the probabilities do, so that what is flagged does not depend on it.
        """
        stored = np.array([self.thresholds.get(label, np.nan) for label in self.labels])
        return self.restate(stored, prevalence)

    def restate(self, probabilities: np.ndarray, prevalence: Prevalence) -> np.ndarray:
        """Probabilities [..., 15] at the training prevalence -> the same at the stated one."""
        return probability.shift(probabilities, self.shares(TRAINING), self.shares(prevalence))

    def shares(self, prevalence: Prevalence) -> np.ndarray:
        """The share of films with each label [15] that the stated prevalence means."""
        if isinstance(prevalence, str):
            stated = self.prevalence[prevalence]
        else:
            stated = self.prevalence[NIH] | dict(prevalence)
        return np.array([stated[label] for label in self.labels])


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
    config = _parse(folder / CONFIG)
    onnx = folder / ONNX
    if not onnx.is_file():
        raise ModelFolderError(f"The model folder {str(folder)!r} has no {ONNX}.")
    if sha256(onnx) != config.sha256:
        raise ModelFolderError(
            f"{ONNX} in {str(folder)!r} is not the file that {CONFIG} was written for; "
            "fetch or train the model again."
        )
    return config


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path) -> Config:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(f"{str(path)!r} cannot be read as JSON.") from error
    if not isinstance(raw, dict) or raw.get("format_version") != FORMAT_VERSION:
        version = raw.get("format_version") if isinstance(raw, dict) else None
        raise ModelFolderError(
            f"The model folder has format version {version!r}, and this program reads version "
            f"{FORMAT_VERSION}; update the program or choose another model."
        )
    if raw.get("labels") != list(LABELS):
        raise ModelFolderError(
            f"The labels in {str(path)!r} are not the 15 of this program in their order."
        )
    try:
        return Config(
            labels=LABELS,
            architecture=str(raw["architecture"]),
            pooling=str(raw["pooling"]),
            image_size=_whole(raw["image_size"], 32, 2048),
            calibration={k: _pair(raw["calibration"][k]) for k in LABELS},
            thresholds={k: _share(v) for k, v in raw["thresholds"].items() if k in LABELS},
            prevalence={
                name: {k: _share(raw["prevalence"][name][k]) for k in LABELS}
                for name in (TRAINING, NIH)
            },
            sha256=str(raw["sha256"]),
            threshold_rule=str(raw.get("threshold_rule", "youden")),
            accuracy_threshold=_share(raw.get("accuracy_threshold", 0.5)),
            operating_points=dict(raw.get("operating_points", {})),
            box_rule=box_rule.parse(raw.get("box_rule")),
            screening=dict(raw["screening"]) if raw.get("screening") else None,
            training=dict(raw.get("training", {})),
            metrics=_headline(raw.get("metrics", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelFolderError(
            f"{str(path)!r} is not complete: {error} is missing or has a wrong value."
        ) from error


def _headline(metrics: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(metrics.get("mean_auroc"), float | None):
        raise ValueError("mean_auroc, a number,")
    return dict(metrics)


def _whole(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"a whole number from {low} to {high}")
    return value


def _share(value: Any) -> float:
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"a share between 0 and 1 (not {value!r})")
    return number


def _pair(value: Any) -> tuple[float, float]:
    a, b = (float(v) for v in value)
    if not (math.isfinite(a) and math.isfinite(b)):
        raise ValueError("a finite pair of calibration numbers")
    return a, b
