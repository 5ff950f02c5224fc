"""Logits -> probabilities at a stated prevalence (both halves use the same two functions).

A probability belongs to a prevalence: the share of images that carry the finding among the images
one draws from. Moving from one prevalence to another adds the difference of their log-odds to
the logit (Bayes' rule with unchanged likelihood ratios; Saerens, Latinne and Decaestecker,
"Adjusting the outputs of a classifier to new a priori probabilities", 2002).
"""

import numpy as np


def log_odds(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) of probabilities; 0 and 1 are kept finite (1e-6 from the end)."""
    p = np.clip(np.asarray(probability, np.float64), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def log_odds_shift(prevalence_from: np.ndarray, prevalence_to: np.ndarray) -> np.ndarray:
    """What to add to a logit to restate it at another prevalence."""
    return log_odds(prevalence_to) - log_odds(prevalence_from)


def shift(probability: np.ndarray, prevalence_from: np.ndarray, prevalence_to: np.ndarray):
    """Restates probabilities [..., K] given at one prevalence [K] at another [K]."""
    return sigmoid(log_odds(probability) + log_odds_shift(prevalence_from, prevalence_to))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) in float64, without overflow."""
    x = np.asarray(logits, np.float64)
    return np.where(x >= 0, 1.0, np.exp(np.minimum(x, 0))) / (1.0 + np.exp(-np.abs(x)))
