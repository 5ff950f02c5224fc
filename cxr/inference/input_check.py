"""Checks whether an image is a frontal chest X-ray: it is accepted, warned about or rejected.

The check measures three distances to the training images: of the network's embedding, of the
layout (the image in 16x16 greys, with brightness and contrast removed) and of the edges (64 cells x
8 directions). Each is a Mahalanobis distance under probabilistic PCA (Tipping and Bishop 1999; for
the embedding Lee et al. 2018). Its logarithm is given in standard deviations of held-out images.
The sum of what is above the mean is the *OOD score* of an image. All three are needed: the
embedding alone would reject chest X-rays of other makers, and the layout alone would accept blank
images.

Layout and edges of the inverted or rotated image follow from those of the image by reordering
numbers. So all eight orientations are compared: an image that fits better when it is turned by half
looks upside down. Nothing but chest X-rays is needed to learn this.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxr.model.config import InputCheckEntry
from cxr.model.errors import ModelFolderError
from cxr.model.model_folder import INPUT_CHECK

PARTS = ("embedding", "layout", "edges")
_SIDE = 64  # px, what layout and edges are taken from
_GRID, _CELLS, _DIRECTIONS = 16, 8, 8
LAYOUT_SIZE, EDGES_SIZE = _GRID**2, _CELLS**2 * _DIRECTIONS

# An image counts as turned or inverted when layout and edges fit better that way by so many
# standard deviations. That is true of one of 2,323 images, and of over 99 % of turned images.
_BETTER_TURNED = 2.0
# The least distance of the 1st and the 99th percentile of grey, 0..1; chest X-rays have over 0.3.
_BLANK = 0.05
_MAX_BYTES = 16 * 2**20  # of the unpacked file

NOT_A_CHEST_XRAY = (
    "This does not look like a frontal chest X-ray, so no scores are given; choose a whole PA or "
    "AP chest radiograph."
)
BLANK = "This image is blank or nearly so; choose a whole PA or AP chest radiograph."
UNUSUAL = (
    "This image is unlike most images that the model was trained on (a lateral view, part of an "
    "image or an unusual exposure would be), so its scores may mean little."
)
INVERTED = (
    "This image looks inverted; as it is, its scores mean little; swap black and white first."
)
# By the quarters that the image should be turned counterclockwise.
TURNED = {
    1: "This image looks turned; as it is, its scores mean little; turn it a quarter left first.",
    2: "This image looks upside down; as it is, its scores mean little; turn it by half first.",
    3: "This image looks turned; as it is, its scores mean little; turn it a quarter right first.",
}


@dataclass(frozen=True)
class Verdict:
    """The result of the input check.

    Attributes:
        rejected: The reason of the rejection, one sentence; None for an accepted image.
        warnings: Sentences on an accepted image.
    """

    rejected: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Distance:
    """The distance of vectors from those of the training images, under probabilistic PCA.

    Attributes:
        mean: float32 [D].
        axes: float32 [D, k], the leading directions.
        spread: float32 [k], the variances along them.
        rest: float32, the variance along every other direction.
        centre, scale: float32, mean and standard deviation of the logarithm of the distances of
            held-out images.
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    rest: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    def logarithm(self, vectors: np.ndarray) -> np.ndarray:
        """The logarithms [N] of the distances of vectors [N, D]."""
        away = np.asarray(vectors, np.float32) - self.mean
        # Not with @: BLAS's threads spin for long after it, on the cores that the network needs for
        # the next image, which then takes half as long again.
        along = np.einsum("nd,dk->nk", away, self.axes)
        others = np.maximum((away**2).sum(-1) - (along**2).sum(-1), 0)
        squared = (along**2 / self.spread).sum(-1) + others / self.rest
        return np.log(np.maximum(squared, 1e-12)) / 2

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """By how many standard deviations [N] vectors [N, D] are farther than most images."""
        return (self.logarithm(vectors) - self.centre) / self.scale


class InputCheck:
    """The input check of one model folder."""

    def __init__(self, distances: dict[str, Distance], warn_above: float, reject_above: float):
        """Takes a distance for each of PARTS, and the limits of the OOD score."""
        self.distances = distances
        self.warn_above = warn_above
        self.reject_above = reject_above

    @classmethod
    def load(cls, folder: Path, entry: InputCheckEntry, embedding_size: int) -> "InputCheck":
        """Loads the input check of a model folder.

        Args:
            folder: The model folder.
            entry: The part "input_check" of its config.
            embedding_size: The size of the network's embedding.

        Raises:
            ModelFolderError: The file is missing, damaged, or not the one of the config.
        """
        path = folder / INPUT_CHECK
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("the file's size")
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != entry.sha256:
                raise ValueError("the file's hash")
            return cls(_distances(data, embedding_size), entry.warn_above, entry.reject_above)
        # NumPy raises exceptions of many kinds for a damaged zip or array.
        except Exception as error:
            raise ModelFolderError(
                f"{INPUT_CHECK} in {str(folder)!r} is missing, damaged or not the file that "
                "config.json was written for; fetch or train the model again."
            ) from error

    def judge(self, pixels: np.ndarray, embedding: np.ndarray) -> Verdict:
        """Checks one image.

        Args:
            pixels: float32 [S, S], 0..1, the input of the network.
            embedding: float32 [D], its output for that image.
        """
        grey = np.sort(pixels[::8, ::8], axis=None)
        hundredth = grey.size // 100
        if grey[-1 - hundredth] - grey[hundredth] < _BLANK:
            return Verdict(rejected=BLANK)
        ood_score, inverted, quarters = self.measure(embedding, *describe(pixels))
        if not ood_score <= self.reject_above:  # nan is rejected too
            return Verdict(rejected=NOT_A_CHEST_XRAY)
        warnings = [INVERTED] if inverted else []
        if quarters:
            warnings.append(TURNED[quarters])
        # A turned image has an unusual embedding; the user has been told the reason.
        if ood_score > self.warn_above and not warnings:
            warnings.append(UNUSUAL)
        return Verdict(warnings=tuple(warnings))

    def measure(
        self, embedding: np.ndarray, layout: np.ndarray, edges: np.ndarray
    ) -> tuple[float, bool, int]:
        """Measures an image in the orientation that fits best.

        Args:
            embedding: float32 [D].
            layout, edges: What `describe` returns.

        Returns:
            The OOD score, whether the image must be inverted, and by how many quarters it must be
            turned counterclockwise.
        """
        layouts = layout[_LAYOUT_OF_WAYS] * _SIGN_OF_WAYS
        fits = np.stack(
            [self.distances["layout"](layouts), self.distances["edges"](edges[_EDGES_OF_WAYS])]
        )
        best = int(fits.sum(0).argmin())
        if fits[:, 0].sum() - fits[:, best].sum() <= _BETTER_TURNED:
            best = 0
        parts = [*self.distances["embedding"](embedding[None]), *fits[:, best]]
        return float(np.maximum(parts, 0).sum()), *_WAYS[best]


def describe(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The layout [256] and the edges [512], float32, of an image float32 [S, S], 0..1."""
    image = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    times, rest = divmod(len(pixels), _SIDE)
    # Both give the mean of each cell; `reduce` is twice as fast, but needs whole pixels per cell.
    by_box = image.resize((_SIDE, _SIDE), Image.Resampling.BOX) if rest else image.reduce(times)
    small = np.asarray(by_box)
    layout = _pool(small, _GRID).ravel()
    layout = layout - layout.mean()
    return layout / max(float(layout.std()), 0.02), _edges(small)


def turn_layout(layout: np.ndarray, inverted: bool, quarters: int) -> np.ndarray:
    """The layout of the image inverted, and turned counterclockwise by quarters."""
    turned = np.rot90(layout.reshape(_GRID, _GRID), quarters).ravel()
    return -turned if inverted else turned


def turn_edges(edges: np.ndarray, inverted: bool, quarters: int) -> np.ndarray:
    """The edges of the image inverted, and turned counterclockwise by quarters."""
    turned = np.rot90(edges.reshape(_CELLS, _CELLS, _DIRECTIONS), quarters)
    steps = -quarters * _DIRECTIONS // 4 + inverted * _DIRECTIONS // 2
    return np.roll(turned, steps, -1).ravel()


# The eight orientations: whether to invert, and how many quarters to turn counterclockwise; and for
# each of them the indices that reorder the layout and the edges of an image accordingly.
_WAYS = tuple((inverted, quarters) for inverted in (False, True) for quarters in range(4))
_LAYOUT_OF_WAYS = np.stack(
    [turn_layout(np.arange(LAYOUT_SIZE), False, quarters) for _, quarters in _WAYS]
)
_SIGN_OF_WAYS = np.array([[-1 if inverted else 1] for inverted, _ in _WAYS], np.float32)
_EDGES_OF_WAYS = np.stack([turn_edges(np.arange(EDGES_SIZE), *way) for way in _WAYS])
# The index in the edges at which the cell of each pixel begins.
_CELL = np.kron(
    np.arange(_CELLS**2).reshape(_CELLS, _CELLS) * _DIRECTIONS,
    np.ones((_SIDE // _CELLS, _SIDE // _CELLS), int),
)


def _edges(small: np.ndarray) -> np.ndarray:
    """Square roots of the shares of edge strength by cell and direction (Dalal and Triggs 2005)."""
    padded = np.pad(small, 1, mode="edge")
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    strength = np.hypot(across, down)
    # A direction between two bins counts for both, in proportion to its nearness.
    place = np.arctan2(down, across) * (_DIRECTIONS / (2 * np.pi))
    lower = np.floor(place)
    upper_share = strength * (place - lower)
    index = lower.astype(int) % _DIRECTIONS
    sums = np.bincount((_CELL + index).ravel(), (strength - upper_share).ravel(), EDGES_SIZE)
    index = (index + 1) % _DIRECTIONS
    sums += np.bincount((_CELL + index).ravel(), upper_share.ravel(), EDGES_SIZE)
    return np.sqrt(sums / (sums.sum() + 0.06)).astype(np.float32)


def _pool(values: np.ndarray, side: int) -> np.ndarray:
    """[..., 64, 64] -> means [..., side, side]."""
    step = _SIDE // side
    return values.reshape(*values.shape[:-2], side, step, side, step).mean((-3, -1))


def _distances(data: bytes, embedding_size: int) -> dict[str, Distance]:
    """The numbers of the .npz. Raises ValueError, or what NumPy and zipfile raise."""
    # Check this before anything is unpacked, because a small zip can contain very much.
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(member.file_size for member in packed.infolist()) > _MAX_BYTES:
            raise ValueError("it is too large")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {
            part: _distance(arrays, part, size)
            for part, size in zip(PARTS, (embedding_size, LAYOUT_SIZE, EDGES_SIZE), strict=True)
        }


def _distance(arrays: Any, part: str, size: int) -> Distance:
    names = Distance.__dataclass_fields__
    found = {name: arrays[f"{part}_{name}"] for name in names}
    count = found["spread"].size
    shapes = {"mean": (size,), "axes": (size, count), "spread": (count,)}
    for name, array in found.items():
        if array.dtype != np.float32 or array.shape != shapes.get(name, ()):
            raise ValueError(f"{part}_{name} has a wrong shape or type")
        if not np.isfinite(array).all():
            raise ValueError(f"{part}_{name} is not finite")
    if min(found["spread"].min(initial=1), found["rest"], found["scale"]) <= 0:
        raise ValueError(f"{part} has a spread that is not positive")
    return Distance(**found)
