"""The schema of metrics.json: what was measured of a model, on which images.

`cxr.evaluation` writes the file; the model card, the HTML report, the web page and the terminal
summary read it. A model folder may come from anybody, so every file is checked while it is read.

A metric with a 95 % interval is an `Estimate`. A metric that is undefined on the images (such as
the AUROC of a finding that no image carries) is None, and `why` gives the reason. All metrics lie
between 0 and 1. Labels are in the spelling of the data.
"""

from pathlib import Path
from typing import Annotated, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxr import atomic
from cxr.model import folder_files

FILE = "metrics.json"
LARGEST = 4 * 2**20  # bytes of a metrics.json; a training run writes about 200,000

Share = Annotated[float, Field(ge=0, le=1)]
Difference = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0, lt=10**9)]


class MetricsError(ValueError):
    """A metrics.json that cannot be used; the message is one sentence."""


class _Part(BaseModel):
    # Built when first used: predictions do not need the metrics.
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class Estimate(_Part):
    """A metric and its 95 % interval.

    Attributes:
        value: 0..1.
        ci95: Lower and upper end, from resampling patients; None where the images do not bear one.
    """

    value: Share
    ci95: tuple[Share, Share] | None = None

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.ci95 and self.ci95[0] > self.ci95[1]:
            raise ValueError("the lower end of an interval is above its upper end")
        return self


class Bin(_Part):
    """Images with similar probabilities: their mean probability, and the share with the label.

    Attributes:
        predicted: Mean probability.
        observed: Share of the images that carry the label.
        weight: The bin's share of all images.
    """

    predicted: Share
    observed: Share
    weight: Share


class AsMeasured(_Part):
    """Metrics at the training prevalence, with every image counted once."""

    share: Share
    brier: Share
    ece: Share
    ppv: Share | None = None
    npv: Share | None = None


class Finding(_Part):
    """What was measured of one label ("No Finding" included).

    Attributes:
        positives: Images that carry the label.
        brier: Brier score, like `ece`, `ppv` and `npv` at `Metrics.prevalence`.
        ece: Expected calibration error.
        ece_if_calibrated: What `ece` would be on these images for a perfectly calibrated model.
        threshold: At the training prevalence; None for a label that is never flagged.
        reliability: The bins of `ece`, from the lowest probability up.
        why: Why metrics are None; "" if none is.
    """

    positives: Count
    auroc: Estimate | None = None
    average_precision: Estimate | None = None
    brier: Share | None = None
    ece: Estimate | None = None
    ece_if_calibrated: Share | None = None
    threshold: Share | None = None
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    ppv: Estimate | None = None
    npv: Estimate | None = None
    as_measured: AsMeasured
    reliability: list[Bin] = []
    why: str = ""


class Baselines(_Part):
    """What predictions reach that never use the image.

    Attributes:
        predict_nothing: Accuracy over 15 labels of predicting no label.
        always_no_finding: Accuracy over 15 labels of always predicting "No Finding".
        metadata_only_mean_auroc: Mean AUROC of a regression on sex, age and view.
    """

    predict_nothing: Share
    always_no_finding: Share
    metadata_only_mean_auroc: Share | None = None


class GroupFinding(_Part):
    """What was measured of one finding on the images of one group of patients."""

    positives: Count
    auroc: Estimate | None = None
    sensitivity: Estimate | None = None
    false_negative_rate: Estimate | None = None


class Group(_Part):
    """What was measured on the images of one group of patients.

    Attributes:
        sensitivity: Over all pairs of an image and a finding that it carries.
        underdiagnosis: Of the images with a finding, the share on which nothing is flagged.
        why: Why metrics are None; "" if none is.
    """

    images: Count
    patients: Count
    mean_auroc: Estimate | None = None
    sensitivity: Estimate | None = None
    false_negative_rate: Estimate | None = None
    underdiagnosis: Estimate | None = None
    findings: dict[str, GroupFinding] = {}
    why: str = ""


class Gap(_Part):
    """A difference between two groups of patients whose 95 % interval excludes 0.

    Attributes:
        by: "sex", "age" or "view".
        metric: "mean_auroc", "auroc", "sensitivity" or "underdiagnosis".
        label: The finding; None for a metric over all findings.
        sentence: The gap in English.
    """

    by: str
    groups: tuple[str, str]
    metric: str
    label: str | None
    difference: Difference
    ci95: tuple[Difference, Difference]
    sentence: str


class Subgroups(_Part):
    """{name: group} by sex, age and view; empty where no image has the column."""

    sex: dict[str, Group] = {}
    age: dict[str, Group] = {}
    view: dict[str, Group] = {}
    gaps: list[Gap] = []

    def by(self) -> dict[str, dict[str, Group]]:
        """{"sex": {name: group}, "age": ..., "view": ...}."""
        return {"sex": self.sex, "age": self.age, "view": self.view}


class Overlap(_Part):
    """How far drawn boxes overlap with the radiologists'.

    Attributes:
        mean: Mean IoU or IoBB.
        above: {"0.3": share of the radiologists' boxes with an overlap above 0.3}.
    """

    mean: Estimate
    above: dict[str, Estimate] = {}


class Located(_Part):
    """How well places and boxes match the radiologists' boxes.

    Attributes:
        boxes: How many boxes the radiologists drew.
        pointing: Share of them that contain the indicated place.
        iou: Intersection over union.
        iobb: Intersection over the area of the drawn box.
    """

    boxes: Count
    pointing: Estimate
    iou: Overlap
    iobb: Overlap | None = None

    @property
    def overlap(self) -> Estimate | None:
        """Share of the radiologists' boxes with an IoU above 0.3."""
        return self.iou.above.get("0.3")


class LocatedEach(Located):
    """The same over all boxes, and for each finding that has boxes."""

    findings: dict[str, Located] = {}


class Localisation(_Part):
    """The heatmaps against the radiologists' boxes, beside two controls that never use the image.

    Attributes:
        heatmaps: The model.
        constant_box: For each finding the place and the box that suit most training boxes.
        random_map: A random place, and a box of typical size at a random place.
    """

    heatmaps: LocatedEach
    constant_box: LocatedEach
    random_map: LocatedEach


class InputCheck(_Part):
    """How the input check treated the measured images, all of them frontal chest X-rays."""

    images: Count
    rejected: Count
    warned: Count

    @property
    def rejected_share(self) -> float:
        """0..1."""
        return self.rejected / max(1, self.images)

    @property
    def warned_share(self) -> float:
        """0..1."""
        return self.warned / max(1, self.images)


class Headline(_Part):
    """The main metrics, which config.json repeats.

    Attributes:
        pointing: Share of the radiologists' boxes that contain the heatmap's highest place.
    """

    mean_auroc: Estimate | None = None
    mean_auroc_without_pneumonia_hernia: Estimate | None = None
    mean_ece: Estimate | None = None
    metadata_only_mean_auroc: Share | None = None
    pointing: Estimate | None = None


class Metrics(_Part):
    """The content of metrics.json.

    Attributes:
        split: How the images were separated from the training images.
        prevalence: At which metrics are that depend on one: "nih" or "training".
        notes: Sentences about what was left out or could not be measured.
        literature: A paragraph that compares with published results, or says why it cannot.
        images_of_trained_patients: Measured images of patients whose images trained the model.
        findings: {label: what was measured of it}.
        mean_of: How many of the 14 findings the means are over.
        accuracy_multi: Accuracy over 15 labels at `accuracy_threshold`.
        localisation: None where no measured image has a box.
        input_check: None where the model has no input check.
    """

    n_images: Count
    n_patients: Count
    split: str
    prevalence: str
    notes: list[str] = []
    literature: str = ""
    images_of_trained_patients: Count = 0
    mean_auroc: Estimate | None
    mean_of: Count
    mean_auroc_without_pneumonia_hernia: Estimate | None
    mean_average_precision: Estimate | None
    mean_ece: Estimate | None
    mean_ece_if_calibrated: Share | None
    mean_brier: Share | None
    accuracy_multi: Share
    accuracy_threshold: Share
    baselines: Baselines
    findings: dict[str, Finding]
    subgroups: Subgroups
    localisation: Localisation | None = None
    input_check: InputCheck | None = None

    def headline(self) -> Headline:
        """The main metrics."""
        return Headline(
            mean_auroc=self.mean_auroc,
            mean_auroc_without_pneumonia_hernia=self.mean_auroc_without_pneumonia_hernia,
            mean_ece=self.mean_ece,
            metadata_only_mean_auroc=self.baselines.metadata_only_mean_auroc,
            pointing=self.localisation.heatmaps.pointing if self.localisation else None,
        )


def read(folder: Path) -> Metrics:
    """Reads and checks the metrics.json of a model folder or a report.

    Raises:
        MetricsError: The file is missing, too large, or not such a file.
    """
    name = str(folder / FILE)
    text = folder_files.text(folder, FILE, LARGEST)
    if text is None:
        raise MetricsError(
            f"There is no {name!r} that can be read and has at most {LARGEST // 2**20} MB."
        )
    try:
        return Metrics.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"]) or "the file"
        raise MetricsError(
            f"{name!r} cannot be used: {place} is wrong ({first['msg'].splitlines()[0][:200]})."
        ) from error


def find(folder: Path) -> Metrics | None:
    """The metrics of a model folder that may come from anybody; None where `read` raises."""
    try:
        return read(folder)
    except MetricsError:
        return None


def find_localisation(folder: Path) -> Localisation | None:
    """How often the model's boxes were right; None where that is not known."""
    found = find(folder)
    return found.localisation if found else None


def write(path: Path, metrics: Metrics) -> None:
    """Writes metrics.json in one step."""
    atomic.write_text(path, metrics.model_dump_json(indent=2) + "\n")
