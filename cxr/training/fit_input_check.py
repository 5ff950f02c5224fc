"""Fits the input check, which tells chest X-rays from other images, to the training images.

Only chest X-rays are used. What was chosen by looking at other images is in the constants below
(`benchmarks/ood_images` describes these images, and measures on others).
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cxr import atomic
from cxr.inference.input_check import PARTS, Distance, InputCheck, describe
from cxr.inference.sessions import Outputs
from cxr.model import model_folder
from cxr.model.config import InputCheckEntry
from cxr.model.model_folder import INPUT_CHECK

# Principal directions kept of the embedding, the layout and the edges.
DIRECTIONS = {"embedding": 128, "layout": 64, "edges": 128}
# Shares of chest X-rays that are rejected, and that are rejected or warned about. The target for
# rejecting is 0.01, but a tenth of that is enough: images of other kinds have still higher OOD
# scores, and chest X-rays of other manufacturers, which should be accepted, have lower ones.
REJECTED, UNUSUAL = 0.001, 0.01
MIN_IMAGES = 100
_MAX_IMAGES = 6000  # more do not change the numbers, and each costs a pass of the network
_FOLDS = 5
_TAIL = 0.05
_BATCH = 16


def write(
    folder: Path,
    run: Callable[[np.ndarray], Outputs],
    images: Callable[[np.ndarray], np.ndarray],
    patients: np.ndarray,
    train: np.ndarray,
    valid: np.ndarray,
    seed: int = 0,
) -> InputCheckEntry | None:
    """Fits the input check and writes input_check.npz.

    Args:
        folder: The model folder.
        run: The network (`Predictor.run`).
        images: Returns the images of some rows, float32 [n, 1, S, S] (`PixelCache.images`).
        patients: The patient of each row, [N].
        train: The rows of the training set.
        valid: The rows of the validation set.
        seed: Of the choice of images, if there are too many, and of the folds.

    Returns:
        The part "input_check" of config.json. None if the training set has fewer than 100 images or
        the validation set fewer than 20, because so few give no limits.
    """
    if len(train) < MIN_IMAGES or len(valid) < MIN_IMAGES // 5:
        return None
    random = np.random.default_rng(seed)
    train = np.sort(random.permutation(train)[:_MAX_IMAGES])
    valid = np.sort(random.permutation(valid)[:_MAX_IMAGES])
    fitted = fit(measure(run, images, train), patients[train], measure(run, images, valid), seed)
    with atomic.replacing(folder / INPUT_CHECK) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **to_arrays(fitted))
    return InputCheckEntry(
        file="input_check.npz",
        sha256=model_folder.sha256(folder / INPUT_CHECK),
        warn_above=fitted.warn_above,
        reject_above=fitted.reject_above,
    )


def measure(
    run: Callable[[np.ndarray], Outputs],
    images: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
) -> dict[str, np.ndarray]:
    """Measures images for the three parts of the input check.

    Args:
        run: The network (`Predictor.run`).
        images: Returns the images of some rows, float32 [n, 1, S, S].
        rows: The rows to measure, [n].

    Returns:
        {part: float32 [n, D]} for each of `input_check.PARTS`.
    """
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for start in range(0, len(rows), _BATCH):
        batch = images(rows[start : start + _BATCH])
        found["embedding"].extend(run(batch).embedding)
        for pixels in batch[:, 0]:
            layout, edges = describe(pixels)
            found["layout"].append(layout)
            found["edges"].append(edges)
    return {part: np.stack(vectors) for part, vectors in found.items()}


def fit(
    train: dict[str, np.ndarray], patients: np.ndarray, valid: dict[str, np.ndarray], seed: int
) -> InputCheck:
    """Fits the three distances and the limits of the OOD score.

    The distances are centred and scaled on the validation images, which the network never saw.
    The limits come from both sets, since a few hundred images say little about one in 400: the
    training images are measured by fits without their patient (5 folds) and are centred and scaled
    by themselves.

    Args:
        train: What `measure` returns for the training images.
        patients: The patients of the training images, [n].
        valid: What `measure` returns for the validation images.
        seed: Of the folds.
    """
    fold = _folds(patients, seed)
    distances, train_scores, valid_scores = {}, np.zeros(len(patients)), 0.0
    for part, count in DIRECTIONS.items():
        fitted = fit_distance(train[part], count)
        logs = fitted.logarithm(valid[part])
        distances[part] = _scaled(fitted, logs)
        valid_scores += np.maximum(distances[part](valid[part]), 0)
        crossed = np.zeros(len(patients))
        for k in np.unique(fold):
            others = fit_distance(train[part][fold != k], count)
            crossed[fold == k] = others.logarithm(train[part][fold == k])
        train_scores += np.maximum((crossed - crossed.mean()) / crossed.std(), 0)
    scores = np.concatenate([train_scores, np.atleast_1d(valid_scores)])
    return InputCheck(distances, exceeded_by(scores, UNUSUAL), exceeded_by(scores, REJECTED))


def fit_distance(vectors: np.ndarray, count: int) -> Distance:
    """Probabilistic PCA of vectors [n, D] (Tipping and Bishop 1999); not yet scaled."""
    size = vectors.shape[1]
    count = min(count, size - 1, len(vectors) // 4)
    mean = vectors.mean(0, dtype=np.float64)
    variances, axes = np.linalg.eigh(np.cov(vectors.astype(np.float64) - mean, rowvar=False))
    variances, axes = variances[::-1], axes[:, ::-1]
    # A direction in which no image differs would give every other image an infinite score.
    floor = max(float(variances.sum()), 1e-12) * 1e-6
    rest = max(float(variances[count:].mean()), floor)
    numbers = (mean, axes[:, :count], np.maximum(variances[:count], floor), rest, 0, 1)
    return Distance(*(np.asarray(number, np.float32) for number in numbers))


def exceeded_by(ood_score: np.ndarray, share: float) -> float:
    """The limit that a share of images exceeds: an exponential tail over the 95th percentile.

    The share may be smaller than one image of those at hand. (Peaks over threshold, Pickands 1975,
    with the shape left at 0, which is what the images show and steadier than fitting it.)
    """
    start = float(np.quantile(ood_score, 1 - _TAIL))
    excess = float(np.mean(ood_score[ood_score > start] - start))
    return start + excess * float(np.log(_TAIL / share))


def to_arrays(fitted: InputCheck) -> dict[str, np.ndarray]:
    """The arrays of input_check.npz."""
    return {
        f"{part}_{name}": array
        for part, distance in fitted.distances.items()
        for name, array in asdict(distance).items()
    }


def _scaled(distance: Distance, logs: np.ndarray) -> Distance:
    centre, scale = np.float32(logs.mean()), np.float32(max(float(logs.std()), 1e-6))
    scaled = (np.asarray(centre), np.asarray(scale))
    return Distance(distance.mean, distance.axes, distance.spread, distance.rest, *scaled)


def _folds(patients: np.ndarray, seed: int) -> np.ndarray:
    """A fold 0..4 for each image, the same for all images of a patient."""
    unique, index = np.unique(patients, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(unique)) % _FOLDS)[index]
