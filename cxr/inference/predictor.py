"""A model folder, loaded and checked, that makes predictions. It needs no torch."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxr import imaging, machine
from cxr.deadline import run_with_timeout
from cxr.imaging import GreyImage, ImageError, Source
from cxr.inference.input_check import InputCheck, Verdict
from cxr.inference.prediction import Prediction
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.inference.sessions import Network, Outputs
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.model.errors import ModelFolderError
from cxr.model.resolve import Model

_SECONDS_TO_OPEN = 60.0  # and to run once; a hostile file may never end


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
            self._network = run_with_timeout(
                lambda: Network(path, size, cores or machine.cores()), _SECONDS_TO_OPEN
            )
        except TimeoutError as error:
            raise ModelFolderError(
                f"{str(path)!r} is not open after {_SECONDS_TO_OPEN:.0f} seconds; it is damaged, "
                "or too large for this machine."
            ) from error
        self._input_check: InputCheck | None = None
        if self.config.input_check:
            self._input_check = InputCheck.load(
                self.folder, self.config.input_check, self._network.embedding_size
            )

    def analyze(self, source: Source, prevalence: Prevalence = DEFAULT) -> Prediction:
        """Reads an image and predicts.

        Args:
            source: What `imaging.read_image` reads.
            prevalence: The prevalence to state the prediction at.

        Raises:
            ImageError: The image cannot be read, or the input check rejects it
                ("not_a_chest_xray").
        """
        with self.slot():
            (prediction,) = self.predict([imaging.read_image(source)], prevalence)
        if prediction.verdict.rejected:
            raise ImageError("not_a_chest_xray", prediction.verdict.rejected)
        return prediction

    def predict(
        self, images: Sequence[GreyImage], prevalence: Prevalence = DEFAULT
    ) -> list[Prediction]:
        """Predicts for images as read, in one batch; those that the input check rejects included.

        Args:
            images: At least one.
            prevalence: The prevalence to state the predictions at.
        """
        images = [replace(image, grey=imaging.eight_bits(image)) for image in images]
        size = self.config.image_size
        pixels = np.stack([imaging.resize(image, size) for image in images])[:, None]
        outputs = self.run(pixels)
        verdicts = self.check(pixels, outputs)
        return [
            Prediction(image, self.config, logits, heatmaps, verdict, prevalence)
            for image, logits, heatmaps, verdict in zip(
                images, outputs.logits, outputs.heatmaps, verdicts, strict=True
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
