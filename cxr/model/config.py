"""The schema of `config.json`: everything that inference needs to know beside the ONNX file.

A config may come from anybody, so every entry is checked: numbers are finite and in range, and the
labels are those of `cxr_labels`. Unknown entries are ignored.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from cxr import atomic
from cxr.model.errors import ModelFolderError
from cxr.model.metrics import Estimate, Headline
from cxr_labels import LABELS

FORMAT_VERSION: Literal[1] = 1
NIH, TRAINING = "nih", "training"  # the two prevalences that a config holds

_MAX_BYTES = 16 * 2**20  # training runs write some 20,000
_ECHOED = 80  # characters of an entry that a message repeats
_LARGEST_FACTOR = 1e6  # of the numbers of a calibration
_RULE = r"^(youden|f1|accuracy|sensitivity=\s*\d*\.?\d+(e-?\d+)?)$"

_T = TypeVar("_T")


def _known_label(label: str) -> str:
    if label not in LABELS:
        raise ValueError("not one of the 15 labels")
    return label


def _all_labels(values: dict[str, _T]) -> dict[str, _T]:
    missing = [label for label in LABELS if label not in values]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return {label: values[label] for label in LABELS}


def _both_prevalences(values: dict[str, _T]) -> dict[str, _T]:
    if not {NIH, TRAINING} <= values.keys():
        raise ValueError(f"{NIH} or {TRAINING} is missing")
    return values


def _these_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    if labels != LABELS:
        raise ValueError("not the 15 labels in their order")
    return labels


Label = Annotated[str, AfterValidator(_known_label)]
Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[float, Field(gt=0, le=1)]  # of a box, as a share of the image's side
Slope = Annotated[float, Field(gt=0, le=_LARGEST_FACTOR)]
Shift = Annotated[float, Field(ge=-_LARGEST_FACTOR, le=_LARGEST_FACTOR)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class BoxRule(_Entry):
    """How `cxr.inference.boxes` turns a heatmap into a box. It is tuned on validation images.

    The default frames the region above half of the peak.

    Attributes:
        height: A cell belongs to the region around the peak when it reaches this share of the way
            from the heatmap's median to its peak.
        pull: How far the box moves from the region's own frame (0) to the finding's typical size
            around the region's centre of mass (1).
        fine: Number of parts that a cell's side is divided into, by bicubic interpolation, first.
        sizes: {label: (width, height)} that boxes typically have, as shares of the image's sides.
            A label without a size keeps its region's frame.
    """

    height: Annotated[float, Field(gt=0, le=1)] = 0.5
    pull: Share = 0.0
    fine: Annotated[int, Field(ge=1, le=16)] = 1
    sizes: dict[Label, tuple[Side, Side]] = {}


class OperatingPoint(_Entry):
    """What the threshold of a finding reaches on the validation images.

    (In results, "operating_point" is the name of the rule that chose all thresholds.)

    Attributes:
        positives: Number of images with the finding.
        sensitivity: Share of the images with the finding that are flagged; None if undefined.
        specificity: Share of the images without the finding that are not flagged; likewise.
    """

    positives: Annotated[int, Field(ge=0)]
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None


class InputCheckEntry(_Entry):
    """The file of the input check, and the OOD scores from which it warns and rejects."""

    file: Literal["input_check.npz"]
    sha256: str
    warn_above: Annotated[float, Field(gt=0)]
    reject_above: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _warns_first(self) -> "InputCheckEntry":
        if self.warn_above > self.reject_above:
            raise ValueError("warn_above is above reject_above")
        return self


class Config(_Entry):
    """The content of `config.json`.

    Attributes:
        labels: In NIH's spelling, in the order of the outputs.
        architecture: Name of the timm backbone.
        pooling: How a logit is pooled from its heatmap.
        image_size: Side of the square input in pixels.
        calibration: {label: (a, b)}: probability = sigmoid(a * logit + b) at training prevalence.
        thresholds: {label: p} at training prevalence. A label without one is never flagged.
        prevalence: {"training": {label: share}, "nih": {label: share}}.
        sha256: Hex digest of model.onnx.
        threshold_rule: The rule that chose the thresholds on the validation images.
        accuracy_threshold: The one threshold for all labels with the best accuracy there.
        operating_points: {label: what its threshold reaches there}.
        box_rule: How heatmaps become boxes.
        input_check: Tells chest X-rays from other images. Without it every image is accepted.
        training: Seed, split, epochs, data, commit and the like: for people, not for the code.
        metrics: The main metrics, copied from metrics.json.
        format_version: Of the model folder.
    """

    labels: Annotated[tuple[str, ...], AfterValidator(_these_labels)]
    architecture: str
    pooling: str
    image_size: Annotated[int, Field(ge=32, le=2048)]
    calibration: Annotated[dict[str, tuple[Slope, Shift]], AfterValidator(_all_labels)]
    thresholds: dict[Label, Share]
    prevalence: Annotated[
        dict[str, Annotated[dict[str, Share], AfterValidator(_all_labels)]],
        AfterValidator(_both_prevalences),
    ]
    sha256: str
    threshold_rule: Annotated[str, StringConstraints(pattern=_RULE)] = "youden"
    accuracy_threshold: Share = 0.5
    operating_points: dict[Label, OperatingPoint] = {}
    box_rule: BoxRule = BoxRule()
    input_check: InputCheckEntry | None = None
    training: dict[str, Any] = {}
    metrics: Headline = Headline()
    format_version: Literal[1] = FORMAT_VERSION

    def replace(self, **changes: Any) -> "Config":
        """Returns a copy with other entries, which are checked like those of a new config."""
        return Config(**(dict(self) | changes))


def read_config(path: Path, name: str | None = None) -> Config:
    """Reads and checks a config.json, without the model beside it.

    Args:
        path: The file.
        name: What error messages call it (default: its path).

    Raises:
        ModelFolderError: The file cannot be read, or an entry is wrong; the message names it.
    """
    name = name or str(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelFolderError(f"{name!r} cannot be read: it is over 16 MB.")
        return Config.model_validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise ModelFolderError(f"{name!r} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise ModelFolderError(_explain(name, error)) from error


def _explain(name: str, error: ValidationError) -> str:
    """One sentence on the first problem; the format version and the labels go before the rest."""
    problems = {problem["loc"][:1]: problem for problem in reversed(error.errors())}
    if () in problems:
        return f"{name!r} cannot be read as a JSON object."
    if ("format_version",) in problems:
        version = str(problems["format_version",]["input"])[:_ECHOED]
        return (
            f"The model folder has format version {version}, and this program reads version "
            f"{FORMAT_VERSION}; update the program or choose another model."
        )
    if ("labels",) in problems:
        return f"The labels in {name!r} are not the 15 of this program in their order."
    problem = error.errors()[0]
    entry = ".".join(map(str, problem["loc"]))[:_ECHOED]
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{name!r} cannot be used: its entry {entry!r} is wrong: {reason}."


def write_config(path: Path, config: Config) -> None:
    """Writes a config.json in one step."""
    atomic.write_json(path, config.model_dump(mode="json"))
