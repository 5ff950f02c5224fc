"""The prevalence that probabilities are stated at: NIH's, the training set's, or the reader's.

Written as the reader writes it: "nih", "training", or "Effusion=0.3, Mass=0.1", which puts these
shares over NIH's.
"""

from collections.abc import Mapping

import cxr_labels

NIH, TRAINING = "nih", "training"
DEFAULT = NIH

# "nih", "training", or {label: share} laid over NIH's shares.
Prevalence = str | Mapping[str, float]


class PrevalenceError(ValueError):
    """A prevalence that cannot be understood; the message is one sentence for a layman."""


def parse(text: str) -> Prevalence:
    """Reads "nih", "training" or "Label=share, ...". Raises PrevalenceError."""
    words = text.strip()
    if words.lower() in (NIH, TRAINING):
        return words.lower()
    return dict(_parse_share(part) for part in words.split(","))


def name(prevalence: Prevalence) -> str:
    """The text that `parse` reads back."""
    if isinstance(prevalence, str):
        return prevalence
    return ", ".join(f"{label}={share:g}" for label, share in prevalence.items())


def _parse_share(text: str) -> tuple[str, float]:
    label, equals, number = text.partition("=")
    if not equals:
        raise PrevalenceError(
            f"The prevalence {text.strip()!r} is not understood; give 'nih', 'training' or a share "
            "such as 'Effusion=0.3'."
        )
    try:
        found = cxr_labels.parse_label(label)
    except cxr_labels.LabelError as error:
        raise PrevalenceError(str(error)) from error
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:  # also false of nan
        raise PrevalenceError(
            f"The prevalence of {found} is given as {number.strip()!r}; it must be a number "
            "between 0 and 1, such as 0.3 for 30 %."
        )
    return found, share
