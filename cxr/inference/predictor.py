"""A model folder, loaded and checked, that makes predictions. Runs on ONNX Runtime alone."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from cxr import imaging, machine
from cxr.deadline import within
from cxr.imaging import GreyImage
from cxr.inference.boxes import Box, find_boxes
from cxr.inference.input_check import InputCheck, Verdict
from cxr.inference.prevalence import DEFAULT, TRAINING, Prevalence, probabilities_at, thresholds_at
from cxr.inference.sessions import Network, Outputs
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.model.errors import ModelFolderError
from cxr.model.resolve import Model
from cxr_labels import LABELS, NO_FINDING

_PATIENCE = 60.0  # seconds to open a network and to run it once; a hostile file may never end


@dataclass(frozen=True)
class Prediction:
    """The model's output for one image, stated at a prevalence.

    Attributes:
        config: The config of the model.
        logits: float32 [15], as the network gives them.
        heatmaps: float32 [15, h, w], one per label.
        verdict: The result of the input check.
        prevalence: The prevalence that probabilities and thresholds are stated at. It never
            changes what is flagged.
    """

    config: Config
    logits: np.ndarray
    heatmaps: np.ndarray
    verdict: Verdict
    prevalence: Prevalence = DEFAULT

    def at(self, prevalence: Prevalence) -> "Prediction":
        """The same prediction, stated at another prevalence; the network does not run again."""
        return replace(self, prevalence=prevalence)

    @cached_property
    def probabilities(self) -> dict[str, float]:
        """{label: probability} in the order of LABELS."""
        found = probabilities_at(self.config, self.logits, self.prevalence)
        return dict(zip(LABELS, map(float, found), strict=True))

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """{label: threshold}, without the labels that are never flagged."""
        stated = zip(LABELS, map(float, thresholds_at(self.config, self.prevalence)), strict=True)
        return {label: limit for label, limit in stated if label in _flaggable(self.config)}

    @cached_property
    def flagged(self) -> tuple[str, ...]:
        """Findings that reach their threshold, in the order of LABELS.

        Compared at the training prevalence, where thresholds are stored, so that the same findings
        are flagged at every prevalence.
        """
        found = probabilities_at(self.config, self.logits, TRAINING)
        limits = self.config.thresholds
        return tuple(
            label
            for label, p in zip(LABELS, found, strict=True)
            if label in _flaggable(self.config) and p >= limits[label]
        )

    def ranked(self) -> dict[str, float]:
        """All labels with their probabilities, most likely first."""
        return dict(sorted(self.probabilities.items(), key=lambda item: -item[1]))

    def heatmap_of(self, label: str) -> np.ndarray:
        """The heatmap of a label, float32 [h, w]."""
        return self.heatmaps[LABELS.index(label)]

    def boxes_of(self, label: str) -> list[Box]:
        """The boxes of a label, in fractions of the image's sides."""
        return find_boxes(self.heatmap_of(label), self.config.box_rule, label)


class Predictor:
    """Makes predictions with the model of one folder."""

    def __init__(
        self,
        model: str | Path | Model,
        config: Config | None = None,
        cores: int | None = None,
    ):
        """Loads a model.

        Args:
            model: A folder, or what `resolve.find` returned.
            config: The config of a folder that is still being made and has no config.json yet.
            cores: The cores to use; by default all that this process may use.

        Raises:
            ModelFolderError: The folder or its ONNX file does not fit.
        """
        self.model = model if isinstance(model, Model) else Model.at(model)
        self.folder = self.model.folder
        self.config = config or model_folder.load(self.folder)
        path, size = self.folder / model_folder.ONNX, self.config.image_size
        try:
            self._network = within(_PATIENCE, lambda: Network(path, size, cores or machine.cores()))
        except TimeoutError as error:
            raise ModelFolderError(
                f"{str(path)!r} is not open after {_PATIENCE:.0f} seconds; it is damaged, or too "
                "large for this machine."
            ) from error
        self._input_check: InputCheck | None = None
        if self.config.input_check:
            self._input_check = InputCheck.load(
                self.folder, self.config.input_check, self._network.embedding_size
            )

    def predict(
        self, images: Sequence[GreyImage], prevalence: Prevalence = DEFAULT
    ) -> list[Prediction]:
        """Predicts for images as read, in one batch, at the stated prevalence."""
        size = self.config.image_size
        pixels = np.stack([imaging.resize(image, size) for image in images])[:, None]
        outputs = self.run(pixels)
        verdicts = self.check(pixels, outputs)
        return [
            Prediction(self.config, logits, heatmaps, verdict, prevalence)
            for logits, heatmaps, verdict in zip(
                outputs.logits, outputs.heatmaps, verdicts, strict=True
            )
        ]

    def check(self, pixels: np.ndarray, outputs: Outputs) -> list[Verdict]:
        """The input check of images [N, 1, S, S], given the network's outputs for them."""
        if self._input_check is None:
            return [Verdict()] * len(pixels)
        return [
            self._input_check.judge(image[0], embedding)
            for image, embedding in zip(pixels, outputs.embedding, strict=True)
        ]

    def run(self, images: np.ndarray) -> Outputs:
        """The network's outputs for images float32 [N, 1, S, S], 0..1, bone white."""
        return self._network.run(images)

    def slot(self) -> AbstractContextManager[None]:
        """Limits the images in work to one per core; enter it before an image is decoded.

        This bounds memory, and tells the network whether other images are in work.
        """
        return self._network.slot()


def _flaggable(config: Config) -> set[str]:
    """The labels with a threshold; "No Finding" is never flagged."""
    return set(config.thresholds) - {NO_FINDING}
