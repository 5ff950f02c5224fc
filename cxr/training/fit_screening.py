"""Training films -> the numbers by which the serving half tells chest films from other pictures.

Nothing but chest films is used. What was chosen by looking at pictures of other things stands
below as constants (`benchmarks/odd_pictures` says which pictures, and measures on others).
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cxr import atomic, model_folder
from cxr.serving.network import Outputs
from cxr.serving.screening import FILE, PARTS, Distance, Screening, describe

# Directions kept of the embedding, the layout and the edges.
DIRECTIONS = {"embedding": 128, "layout": 64, "edges": 128}
# Shares of chest films to be refused, and to be refused or called unusual. The bar for refusing
# is 0.01 on other films; the nearest odd picture lies so far out that a tenth of that is enough,
# and chest films of other makers lie between.
REFUSED, UNUSUAL = 0.001, 0.01
MIN_FILMS = 100
_MAX_FILMS = 6000  # more do not change the numbers, and each costs a pass of the network
_FOLDS = 5
_TAIL = 0.05
_BATCH = 16


def write(
    folder: Path,
    run: Callable[[np.ndarray], Outputs],
    films: Callable[[np.ndarray], np.ndarray],
    patients: np.ndarray,
    train: np.ndarray,
    valid: np.ndarray,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Fits to the training films, writes screening.npz, returns config.json's "screening".

    run: the network (`Predictor.run`). films: rows -> float32 [n, 1, S, S] (`PixelCache.films`).
    patients: [N], of all rows. train, valid: rows. None when train has under 100 films or valid
    under 20: no limits can be set on so few.
    """
    if len(train) < MIN_FILMS or len(valid) < MIN_FILMS // 5:
        return None
    random = np.random.default_rng(seed)
    train = np.sort(random.permutation(train)[:_MAX_FILMS])
    valid = np.sort(random.permutation(valid)[:_MAX_FILMS])
    fitted = fit(measure(run, films, train), patients[train], measure(run, films, valid), seed)
    with atomic.replacing(folder / FILE) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **to_arrays(fitted))
    return {
        "file": FILE,
        "sha256": model_folder.sha256(folder / FILE),
        "warn_above": fitted.warn_above,
        "refuse_above": fitted.refuse_above,
    }


def measure(
    run: Callable[[np.ndarray], Outputs],
    films: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
) -> dict[str, np.ndarray]:
    """{part: float32 [n, D]} of films, for the three parts of `screening.PARTS`."""
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for start in range(0, len(rows), _BATCH):
        batch = films(rows[start : start + _BATCH])
        found["embedding"].extend(run(batch).embedding)
        for pixels in batch[:, 0]:
            layout, edges = describe(pixels)
            found["layout"].append(layout)
            found["edges"].append(edges)
    return {part: np.stack(vectors) for part, vectors in found.items()}


def fit(
    train: dict[str, np.ndarray], patients: np.ndarray, valid: dict[str, np.ndarray], seed: int
) -> Screening:
    """train, valid: {part: [n, D]}; patients: [n] of train.

    The distances are centred and scaled on the validation films, which the network never saw.
    The limits come from both sets, since a few hundred films say little about one in 400: the
    training films are measured by fits without their patient (5 folds) and are centred and scaled
    by themselves.
    """
    fold = _folds(patients, seed)
    distances, odd_train, odd_valid = {}, np.zeros(len(patients)), 0.0
    for part, count in DIRECTIONS.items():
        fitted = fit_distance(train[part], count)
        logs = fitted.logarithm(valid[part])
        distances[part] = _scaled(fitted, logs)
        odd_valid += np.maximum(distances[part](valid[part]), 0)
        crossed = np.zeros(len(patients))
        for k in np.unique(fold):
            others = fit_distance(train[part][fold != k], count)
            crossed[fold == k] = others.logarithm(train[part][fold == k])
        odd_train += np.maximum((crossed - crossed.mean()) / crossed.std(), 0)
    odd = np.concatenate([odd_train, np.atleast_1d(odd_valid)])
    return Screening(distances, exceeded_by(odd, UNUSUAL), exceeded_by(odd, REFUSED))


def fit_distance(vectors: np.ndarray, count: int) -> Distance:
    """Probabilistic PCA of vectors [n, D] (Tipping and Bishop 1999); not yet scaled."""
    size = vectors.shape[1]
    count = min(count, size - 1, len(vectors) // 4)
    mean = vectors.mean(0, dtype=np.float64)
    variances, axes = np.linalg.eigh(np.cov(vectors.astype(np.float64) - mean, rowvar=False))
    variances, axes = variances[::-1], axes[:, ::-1]
    # A direction in which no film differs would make every other picture infinitely odd.
    floor = max(float(variances.sum()), 1e-12) * 1e-6
    rest = max(float(variances[count:].mean()), floor)
    numbers = (mean, axes[:, :count], np.maximum(variances[:count], floor), rest, 0, 1)
    return Distance(*(np.asarray(number, np.float32) for number in numbers))


def exceeded_by(oddness: np.ndarray, share: float) -> float:
    """The limit that a share of films exceeds: an exponential tail over the 95th percentile.

    The share may be smaller than one film of those at hand. (Peaks over threshold, Pickands 1975,
    with the shape left at 0, which is what the films show and steadier than fitting it.)
    """
    start = float(np.quantile(oddness, 1 - _TAIL))
    excess = float(np.mean(oddness[oddness > start] - start))
    return start + excess * float(np.log(_TAIL / share))


def to_arrays(fitted: Screening) -> dict[str, np.ndarray]:
    """The arrays of screening.npz."""
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
    """A fold 0..4 for each film, the same for all films of a patient."""
    unique, index = np.unique(patients, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(unique)) % _FOLDS)[index]
