"""Log-odds, and the shift of probabilities from one prevalence to another.

A calibrated probability holds for one prevalence. With unchanged likelihood ratios, Bayes' rule
moves it to another by adding the difference of the log-odds of the two prevalences to its log-odds
(Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities", 2002).
"""

import numpy as np

LEAST = 1e-6  # distance from 0 and 1 at which probabilities are cut, to keep log-odds finite


def log_odds(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) in float64, of probabilities cut at LEAST and 1 - LEAST."""
    p = np.clip(np.asarray(probability, np.float64), LEAST, 1 - LEAST)
    return np.log(p / (1 - p))


def log_odds_shift(prevalence_from: np.ndarray, prevalence_to: np.ndarray) -> np.ndarray:
    """What to add to a logit to move it from one prevalence to another."""
    return log_odds(prevalence_to) - log_odds(prevalence_from)


def shift(
    probability: np.ndarray, prevalence_from: np.ndarray, prevalence_to: np.ndarray
) -> np.ndarray:
    """Moves probabilities [..., K] from one prevalence [K] to another [K]."""
    return sigmoid(log_odds(probability) + log_odds_shift(prevalence_from, prevalence_to))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) in float64, without overflow."""
    x = np.asarray(logits, np.float64)
    return np.where(x >= 0, 1.0, np.exp(np.minimum(x, 0))) / (1.0 + np.exp(-np.abs(x)))
