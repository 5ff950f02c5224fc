"""One image file -> its prediction, with everything that is needed to show it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cxr import imaging
from cxr.imaging import GreyImage, ImageError
from cxr.inference.boxes import Box
from cxr.inference.overlay import draw_overlay
from cxr.inference.predictor import Prediction, Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence


@dataclass(frozen=True)
class Analysis:
    """An image and its prediction.

    Attributes:
        image: The image in 8 bits, as it is shown.
        prediction: Logits, heatmaps, and what follows from them at a prevalence.
    """

    image: GreyImage
    prediction: Prediction

    def at(self, prevalence: Prevalence) -> "Analysis":
        """The same analysis, stated at another prevalence.

        The image is not decoded and the network does not run again.
        """
        return replace(self, prediction=self.prediction.at(prevalence))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what is unusual about the file and the image."""
        return (*self.image.warnings, *self.prediction.verdict.warnings)

    def boxes_of(self, label: str) -> list[Box]:
        """Boxes around the peak of the label's heatmap, in fractions of the image's sides."""
        return self.prediction.boxes_of(label)

    def overlay_of(self, label: str) -> np.ndarray:
        """The image with the label's heatmap and boxes over it: uint8 [H, W, 3]."""
        heatmap = self.prediction.heatmap_of(label)
        return draw_overlay(self.image.grey, heatmap, self.boxes_of(label))


def analyze(
    predictor: Predictor, source: str | Path | bytes | BinaryIO, prevalence: Prevalence = DEFAULT
) -> Analysis:
    """Reads an image and runs the model on it.

    Args:
        predictor: The model.
        source: A path, the content of a file, or an open file.
        prevalence: The prevalence to state probabilities at.

    Raises:
        ImageError: The image cannot be read, or the input check rejects it ("not_a_chest_xray").
    """
    with predictor.slot():
        image = imaging.read_image(source)
        image = replace(image, grey=imaging.eight_bits(image))  # all that network and page see
        (prediction,) = predictor.predict([image], prevalence)
    if prediction.verdict.rejected:
        raise ImageError("not_a_chest_xray", prediction.verdict.rejected)
    return Analysis(image, prediction)
