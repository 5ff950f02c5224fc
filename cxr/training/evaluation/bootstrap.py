"""95 % intervals by resampling patients: films of one patient are not independent."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000


def patient_weights(patients: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each film [N] counts in each resample of patients: uint16 [resamples, N]."""
    rng = np.random.default_rng(seed)
    names, of_film = np.unique(patients, return_inverse=True)
    draws = rng.integers(0, len(names), (resamples, len(names)))
    counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in draws])
    return counts[:, of_film].astype(np.uint16)


def aurocs(target: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUROC of one label in each resample, ties counted half; nan where it is undefined.

    target, score: [N]. weights: [B, N] as of `patient_weights`.
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sorted_weights = weights[:, order].astype(np.float64)
    positive = np.add.reduceat(sorted_weights * target[order], starts, axis=1)
    negative = np.add.reduceat(sorted_weights * (1 - target[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - 0.5 * negative
    pairs = positive.sum(1) * negative.sum(1)
    return np.divide(
        (positive * below).sum(1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0
    )


def interval(figures: np.ndarray) -> list[float] | None:
    """The middle 95 % of a figure over its resamples; None when it was mostly undefined."""
    defined = figures[np.isfinite(figures)]
    if len(defined) < len(figures) / 2:
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return [float(low), float(high)]


def share_interval(
    hits: Sequence[bool], patients: Sequence[int], seed: int = 0
) -> list[float] | None:
    """Interval of a share of hits, resampling the patients that they belong to."""
    if not len(hits):
        return None
    weights = patient_weights(np.asarray(patients), seed).astype(np.float64)
    return interval(weights @ np.asarray(hits, np.float64) / weights.sum(1))
