"""A model folder, loaded and checked, that answers for images. Runs on ONNX Runtime alone."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxr import imaging, machine
from cxr.deadline import within
from cxr.imaging import GreyImage
from cxr.inference.input_check import InputCheck, Verdict
from cxr.inference.prevalence import DEFAULT, TRAINING, Prevalence, probabilities_at, thresholds_at
from cxr.inference.sessions import Network, Outputs
from cxr.model import model_folder
from cxr.model.model_folder import ModelFolderError
from cxr.model.resolve import Model
from cxr_labels import LABELS, NO_FINDING

_PATIENCE = 60.0  # seconds to open a network and try it out: a file can hold one that never ends


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    probabilities: {label: p} in the order of LABELS, at the stated prevalence.
    prevalence: that stated one.
    thresholds: {label: p} at the same prevalence; without the labels that are never flagged.
    flagged: findings at or above their threshold, in the order of LABELS. Compared at the training
        prevalence, as they were measured: the stated one never changes what is flagged.
    heatmap: float32 [15, h, w], one map a label.
    verdict: of the input check, on whether this is a frontal chest X-ray at all.
    """

    probabilities: dict[str, float]
    prevalence: Prevalence
    thresholds: dict[str, float]
    flagged: tuple[str, ...]
    heatmap: np.ndarray
    verdict: Verdict

    def ranked(self) -> dict[str, float]:
        """All labels with their probabilities, most likely first."""
        return dict(sorted(self.probabilities.items(), key=lambda item: -item[1]))

    def heatmap_of(self, label: str) -> np.ndarray:
        """The heatmap [h, w] of a label."""
        return self.heatmap[LABELS.index(label)]


class Predictor:
    """Answers for images with the model of one folder."""

    def __init__(
        self,
        model: str | Path | Model,
        config: model_folder.Config | None = None,
        cores: int | None = None,
    ):
        """Raises ModelFolderError when the folder or its ONNX file does not fit.

        model: a folder, or what `model_source.find` found.
        config: of a folder that is still being made and has no config.json yet.
        cores: that the network runs on; all that are granted to this process when None.
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
        """Answers for images as read, in one batch, at the stated prevalence."""
        size = self.config.image_size
        pixels = np.stack([imaging.resize(image, size) for image in images])[:, None]
        outputs = self.run(pixels)
        probabilities = probabilities_at(self.config, outputs.logits, prevalence)
        in_training = probabilities_at(self.config, outputs.logits, TRAINING)
        stated = dict(zip(LABELS, map(float, thresholds_at(self.config, prevalence)), strict=True))
        thresholds = {
            label: stated[label] for label in self.config.thresholds if label != NO_FINDING
        }
        verdicts = self.screen(pixels, outputs)
        return [
            Prediction(
                dict(zip(LABELS, map(float, probabilities[image]), strict=True)),
                prevalence,
                thresholds,
                _flag(in_training[image], self.config.thresholds),
                outputs.heatmap[image],
                verdicts[image],
            )
            for image in range(len(images))
        ]

    def screen(self, pixels: np.ndarray, outputs: Outputs) -> list[Verdict]:
        """What the input check says of images [N, 1, S, S] and the network's outputs for them."""
        if self._input_check is None:
            return [Verdict()] * len(pixels)
        return [
            self._input_check.judge(image[0], embedding)
            for image, embedding in zip(pixels, outputs.embedding, strict=True)
        ]

    def run(self, images: np.ndarray) -> Outputs:
        """The network's outputs for images float32 [N, 1, S, S], 0..1, bone white."""
        return self._network.run(images)

    def place(self) -> AbstractContextManager[None]:
        """Waited for and held from an image's reading to its answer: one for each core.

        What is held at once stays bounded, and the network learns whether an image is alone.
        """
        return self._network.place()


def _flag(probabilities: np.ndarray, thresholds: dict[str, float]) -> tuple[str, ...]:
    """Both at the training prevalence. A label without a threshold is never flagged."""
    return tuple(
        label
        for label, p in zip(LABELS, probabilities, strict=True)
        if label in thresholds and label != NO_FINDING and p >= thresholds[label]
    )
