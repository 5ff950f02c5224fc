"""What a model predicts for one image."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image

from cxr.imaging import GreyImage
from cxr.inference.boxes import Box, find_boxes
from cxr.inference.input_check import Verdict
from cxr.inference.overlay import draw_overlay
from cxr.inference.prevalence import DEFAULT, TRAINING, Prevalence, probabilities_at, thresholds_at
from cxr.model.config import Config
from cxr_labels import LABELS, NO_FINDING


@dataclass(frozen=True)
class Prediction:
    """An image and what a model predicts for it, stated at a prevalence.

    Attributes:
        image: The image in 8 bits, as the network and the reader see it.
        config: The config of the model.
        logits: float32 [15], as the network gives them.
        heatmaps: float32 [15, h, w], one per label in the order of LABELS.
        verdict: The result of the input check.
        prevalence: The prevalence that probabilities and thresholds are stated at: "nih",
            "training", or the shares of some labels, the others being NIH's. It never changes
            what is flagged.
    """

    image: GreyImage
    config: Config
    logits: np.ndarray
    heatmaps: np.ndarray
    verdict: Verdict
    prevalence: Prevalence = DEFAULT

    def at(self, prevalence: Prevalence) -> "Prediction":
        """States the prediction at another prevalence.

        The image is not decoded and the network does not run again.
        """
        return replace(self, prevalence=prevalence)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what is unusual about the file and the image."""
        return (*self.image.warnings, *self.verdict.warnings)

    @cached_property
    def probabilities(self) -> dict[str, float]:
        """The calibrated probability of each label, in the order of LABELS."""
        found = probabilities_at(self.config, self.logits, self.prevalence)
        return dict(zip(LABELS, map(float, found), strict=True))

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each label that can be flagged."""
        stated = zip(LABELS, map(float, thresholds_at(self.config, self.prevalence)), strict=True)
        return {label: limit for label, limit in stated if label in self._flaggable}

    @cached_property
    def flagged(self) -> tuple[str, ...]:
        """The findings that reach their threshold, in the order of LABELS.

        Probabilities and thresholds are compared at the training prevalence, where thresholds are
        stored, so that every prevalence gives the same flags.
        """
        found = probabilities_at(self.config, self.logits, TRAINING)
        limits = self.config.thresholds
        return tuple(
            label
            for label, p in zip(LABELS, found, strict=True)
            if label in self._flaggable and p >= limits[label]
        )

    @property
    def _flaggable(self) -> set[str]:
        """The labels that have a threshold; "No Finding" is never flagged."""
        return set(self.config.thresholds) - {NO_FINDING}

    def ranked(self) -> dict[str, float]:
        """All labels with their probabilities, most likely first."""
        return dict(sorted(self.probabilities.items(), key=lambda item: -item[1]))

    def heatmap(self, label: str) -> np.ndarray:
        """The heatmap of a label, float32 [h, w], in units of the logit."""
        return self.heatmaps[LABELS.index(label)]

    def boxes(self, label: str) -> list[Box]:
        """The boxes of a label, (x, y, w, h) in fractions of the image's sides."""
        return find_boxes(self.heatmap(label), self.config.box_rule, label)

    def overlay(self, label: str) -> Image.Image:
        """The image with the heatmap and the boxes of a label, RGB, at most 1024 px a side."""
        drawn = draw_overlay(self.image.grey, self.heatmap(label), self.boxes(label))
        return Image.fromarray(drawn)
