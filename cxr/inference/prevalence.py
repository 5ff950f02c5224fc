"""The prevalence that probabilities are stated at: NIH's, the training set's, or the reader's.

Written as the reader writes it: "nih", "training", or "Effusion=0.3, Mass=0.1", which puts these
shares over NIH's. Labels are known by NIH's names and by those shown, in any case, with spaces or
underscores.
"""

from collections.abc import Mapping

import numpy as np

import cxr_labels
from cxr.inference import probability
from cxr.model.config import NIH, TRAINING, Config
from cxr_labels import NO_FINDING

DEFAULT = NIH

# "nih", "training", or {label: share} laid over NIH's shares.
Prevalence = str | Mapping[str, float]

_LEAST = (
    1e-6  # a share, as far from 0 and from 1 as log-odds are kept (cxr/inference/probability.py)
)
_ECHOED = 60  # characters of what was written that a sentence repeats


class PrevalenceError(ValueError):
    """A prevalence that cannot be understood; the message is one sentence for a layman."""


def parse(text: str) -> Prevalence:
    """Reads "nih", "training" or "Label=share, ...". Raises PrevalenceError."""
    words = text.strip()
    if words.lower() in (NIH, TRAINING):
        return words.lower()
    shares: dict[str, float] = {}
    for part in words.split(","):
        label, share = _parse_share(part)
        if label in shares:
            raise PrevalenceError(f"The prevalence of {label} is given twice; give it once.")
        shares[label] = share
    return shares


def name(prevalence: Prevalence) -> str:
    """The text that `parse` reads back, to the last digit."""
    if isinstance(prevalence, str):
        return prevalence
    return ", ".join(f"{label}={float(share)!r}" for label, share in prevalence.items()) or NIH


def probabilities_at(
    config: Config, logits: np.ndarray, prevalence: Prevalence = DEFAULT
) -> np.ndarray:
    """Logits [..., 15] -> probabilities [..., 15] at the stated prevalence.

    probability = sigmoid(a * logit + b + shift), the shift moving the log-odds from the
    training prevalence to the stated one.
    """
    a, b = np.array([config.calibration[label] for label in config.labels]).T
    moved = probability.log_odds_shift(shares_at(config, TRAINING), shares_at(config, prevalence))
    return probability.sigmoid(np.asarray(logits, np.float64) * a + b + moved)


def thresholds_at(config: Config, prevalence: Prevalence = DEFAULT) -> np.ndarray:
    """Thresholds [15] at the stated prevalence; nan where a label has none.

    They shift as the probabilities do; for showing, since flags are compared at the training
    prevalence, where they are stored.
    """
    stored = np.array([config.thresholds.get(label, np.nan) for label in config.labels])
    return restate(config, stored, prevalence)


def restate(config: Config, probabilities: np.ndarray, prevalence: Prevalence) -> np.ndarray:
    """Probabilities [..., 15] at the training prevalence -> the same at the stated one."""
    return probability.shift(
        probabilities, shares_at(config, TRAINING), shares_at(config, prevalence)
    )


def shares_at(config: Config, prevalence: Prevalence) -> np.ndarray:
    """The share of images with each label [15] that the stated prevalence means.

    Shares of the reader's own lie over NIH's. Where the largest of them leaves less room for
    "No Finding" than NIH's share of it, that room is taken, unless its share is stated too:
    an image with a finding is none without.
    """
    if isinstance(prevalence, str):
        stated = config.prevalence[prevalence]
    else:
        stated = config.prevalence[NIH] | dict(prevalence)
        if prevalence and NO_FINDING not in prevalence:
            room = 1 - max(prevalence.values())
            stated[NO_FINDING] = min(stated[NO_FINDING], room)
    return np.array([stated[label] for label in config.labels])


def _parse_share(text: str) -> tuple[str, float]:
    label, equals, number = text.partition("=")
    if not equals:
        raise PrevalenceError(
            f"The prevalence {_echo(text)} is not understood; give 'nih', 'training' or a share "
            "such as 'Effusion=0.3'."
        )
    found = _LABELS.get(_fold(label))
    if found is None:
        raise PrevalenceError(
            f"The label {_echo(label)} is not one of the {len(cxr_labels.LABELS)} known labels: "
            f"{', '.join(cxr_labels.LABELS)}."
        )
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not _LEAST <= share <= 1 - _LEAST:  # also false of nan
        raise PrevalenceError(
            f"The prevalence of {found} is given as {_echo(number)}; it must be a number "
            "between 0 and 1, such as 0.3 for 30 %."
        )
    return found, share


def _fold(label: str) -> str:
    """A label as it compares: without case, spaces and underscores."""
    return "".join(label.casefold().replace("_", " ").split())


_LABELS = {
    _fold(text): label for label, shown in cxr_labels.DISPLAY.items() for text in (label, shown)
}


def _echo(text: str) -> str:
    """What was written, in quotes and cut to a length that a sentence bears."""
    text = text.strip()
    return repr(text if len(text) <= _ECHOED else text[: _ECHOED - 3] + "...")
