"""The prevalence that probabilities are stated at, and how they move to another one.

A prevalence is the share of images with each finding among the images that one expects. It is
"nih" (NIH's 112,120 images), "training" (the images that the model was trained on), or shares of
some labels, such as "Effusion=0.3, Mass=0.1", the other labels having NIH's.
"""

import re
from collections.abc import Mapping

import numpy as np

import cxr_labels
from cxr.inference import probability
from cxr.model.config import NIH, TRAINING, Config
from cxr_labels import NO_FINDING

DEFAULT = NIH

Prevalence = str | Mapping[str, float]

_LEAST = probability.LEAST
_DECIMAL_COMMA = re.compile(r"=\s*\d*,\s*\d")
_LONGEST = 60  # characters of the user's text that a message repeats


class PrevalenceError(ValueError):
    """A prevalence that is not understood; the message is one sentence for the user."""


def parse(prevalence: Prevalence) -> Prevalence:
    """Reads a prevalence as a user writes it.

    Args:
        prevalence: "nih", "training", "Label=share, ..." or {label: share}. Labels may be written
            as NIH does or as the page does, in any case, with spaces or underscores.

    Returns:
        "nih", "training", or {label in NIH's spelling: share}.

    Raises:
        PrevalenceError: The prevalence is not understood.
    """
    text = (prevalence if isinstance(prevalence, str) else name(prevalence)).strip()
    if text.lower() in (NIH, TRAINING):
        return text.lower()
    if _DECIMAL_COMMA.search(text):
        raise PrevalenceError(
            f"The prevalence {_quoted(text)} is not understood; write shares with a decimal point, "
            "such as 'Effusion=0.3'."
        )
    shares: dict[str, float] = {}
    for part in text.split(","):
        label, share = _parse_share(part)
        if label in shares:
            raise PrevalenceError(f"The prevalence of {label} is given twice; give it once.")
        shares[label] = share
    return shares


def name(prevalence: Prevalence) -> str:
    """The prevalence as text, which `parse` reads back exactly."""
    if isinstance(prevalence, str):
        return prevalence
    return ", ".join(f"{label}={share}" for label, share in prevalence.items()) or NIH


def probabilities_at(
    config: Config, logits: np.ndarray, prevalence: Prevalence = DEFAULT
) -> np.ndarray:
    """Converts logits to probabilities: sigmoid(a * logit + b + shift).

    a and b are the calibration (Platt scaling per label). The shift moves the log-odds from the
    training prevalence to the stated one.

    Args:
        config: The config of the model.
        logits: float [..., 15].
        prevalence: As `parse` returns it.

    Returns:
        float64 [..., 15], 0..1.
    """
    a, b = np.array([config.calibration[label] for label in config.labels]).T
    shift = probability.log_odds_shift(shares_at(config, TRAINING), shares_at(config, prevalence))
    return probability.sigmoid(np.asarray(logits, np.float64) * a + b + shift)


def thresholds_at(config: Config, prevalence: Prevalence = DEFAULT) -> np.ndarray:
    """The thresholds as they are shown at a prevalence: float64 [15], nan for labels without one.

    They shift as the probabilities do. Flags do not depend on this: they are compared at the
    training prevalence, where thresholds are stored.
    """
    stored = np.array([config.thresholds.get(label, np.nan) for label in config.labels])
    return restate(config, stored, prevalence)


def restate(config: Config, probabilities: np.ndarray, prevalence: Prevalence) -> np.ndarray:
    """Moves probabilities [..., 15] from the training prevalence to another one."""
    return probability.shift(
        probabilities, shares_at(config, TRAINING), shares_at(config, prevalence)
    )


def shares_at(config: Config, prevalence: Prevalence) -> np.ndarray:
    """The share of images with each label: float64 [15], 0..1.

    If the user gives no share for "No Finding", it is NIH's share, but at most 1 minus the largest
    share that the user gives, because an image with a finding is not one without.
    """
    if isinstance(prevalence, str):
        shares = config.prevalence[prevalence]
    else:
        shares = config.prevalence[NIH] | dict(prevalence)
        if prevalence and NO_FINDING not in prevalence:
            room = 1 - max(prevalence.values())
            shares[NO_FINDING] = min(shares[NO_FINDING], room)
    return np.array([shares[label] for label in config.labels])


def _parse_share(text: str) -> tuple[str, float]:
    label, equals, number = text.partition("=")
    if not equals:
        raise PrevalenceError(
            f"The prevalence {_quoted(text)} is not understood; give 'nih', 'training' or a share "
            "such as 'Effusion=0.3'."
        )
    found = cxr_labels.find_label(label)
    if found is None:
        raise PrevalenceError(
            f"The label {_quoted(label)} is not one of the {len(cxr_labels.LABELS)} known labels: "
            f"{', '.join(cxr_labels.LABELS)}."
        )
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not _LEAST <= share <= 1 - _LEAST:  # nan fails too
        raise PrevalenceError(
            f"The prevalence of {found} is given as {_quoted(number)}; it must be a number "
            "between 0 and 1, such as 0.3 for 30 %."
        )
    return found, share


def _quoted(text: str) -> str:
    """The user's text in quotes, shortened."""
    text = text.strip()
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")
