"""Turns the stored values of a DICOM image into grey (DICOM PS3.3 C.7.6.3 and C.11).

An image has at most 65,536 different values, so all steps work on a table with one entry for each
of them: modality LUT or rescale; VOI LUT or window (the first, if there are several); inversion of
MONOCHROME1; black for padding. PresentationLUTShape INVERSE only repeats MONOCHROME1, so it changes
nothing.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from cxr.imaging.dicom.checks import Layout
from cxr.imaging.dicom.header import Header

# Without a window, the darkest and brightest 0.1 % of the pixels are outliers. With these limits
# the probabilities of ten NIH images differed from those of their PNGs by 0.0085 on average, with
# 0.5 and 99.5 by 0.012.
_DARKEST, _BRIGHTEST = 0.1, 99.9
_SAMPLE = 1_000_000  # pixels used for the percentiles
_FLAT = 1 / 64  # a window with less contrast hides the image

_STRETCHED = "its own darkest and brightest parts were used instead."


def to_grey(header: Header, layout: Layout, stored: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Applies the header's rules for display.

    Args:
        header: The header.
        layout: How the pixels are stored.
        stored: The bits of each value as unsigned numbers [rows, columns].

    Returns:
        Grey [rows, columns], bone white: uint8 for up to 8 bits, else float32 from 0 to 1.
        Warnings about the brightness.
    """
    values = np.arange(2**layout.bits)
    if layout.signed:
        values[values >= 2 ** (layout.bits - 1)] -= 2**layout.bits
    is_padding = _is_padding(header, layout, values)
    rescaled = _rescaled(header, layout, values)
    sample = stored.ravel()[:: -(-stored.size // _SAMPLE)]
    sample = sample[~is_padding[sample]]
    grey, warnings = _displayed(header, layout, rescaled, sample)
    if layout.from_white:
        grey = 1 - grey
    grey[is_padding] = 0
    if layout.bits <= 8:
        return np.rint(grey * 255).astype(np.uint8)[stored], warnings
    return grey.astype(np.float32)[stored], warnings


def _is_padding(header: Header, layout: Layout, values: np.ndarray) -> np.ndarray:
    """Returns which of the values mark the area outside the image."""
    low = header.word("PixelPaddingValue", signed=layout.signed)
    if low is None:
        return np.zeros(len(values), bool)
    high = header.word("PixelPaddingRangeLimit", signed=layout.signed)
    low, *_, high = sorted((low, low if high is None else high))
    return (values >= low) & (values <= high)


def _rescaled(header: Header, layout: Layout, values: np.ndarray) -> np.ndarray:
    """Applies the modality LUT or rescale."""
    looked_up = _look_up(header.first_item("ModalityLUTSequence"), layout, values)
    if looked_up is not None:
        return looked_up[0]
    slope, intercept = header.numbers("RescaleSlope"), header.numbers("RescaleIntercept")
    if slope and slope[0] and intercept:
        return values * slope[0] + intercept[0]
    return values.astype(float)


def _displayed(
    header: Header, layout: Layout, rescaled: np.ndarray, sample: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Applies the VOI LUT or window, or a guess without one.

    Args:
        header: The header.
        layout: How the pixels are stored.
        rescaled: The table after `_rescaled`.
        sample: Stored values of some pixels.

    Returns:
        The table as grey from 0 to 1, and warnings.
    """
    looked_up = _look_up(header.first_item("VOILUTSequence"), layout, rescaled)
    if looked_up is not None:
        entries, bits = looked_up
        grey = entries / (2**bits - 1)
    else:
        centre, width = header.numbers("WindowCenter"), header.numbers("WindowWidth")
        if not (centre and width and width[0] > 0):
            return _without_window(layout, rescaled, sample)
        grey = _windowed(rescaled, centre[0], width[0], header.text("VOILUTFunction"))
    if not _is_flat(grey[sample]) or _is_flat(_stretched(rescaled, sample)[sample]):
        return grey, []
    warning = f"The brightness settings of this file would hide the image; {_STRETCHED}"
    return _stretched(rescaled, sample), [warning]


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Returns grey from 0 to 1; unknown functions count as LINEAR. width: above 0."""
    if function not in ("LINEAR_EXACT", "SIGMOID"):
        function, width = "LINEAR", max(width, 1)  # pydicom rejects smaller ones
    window = Dataset()
    window.add_new("WindowCenter", "FD", centre)
    window.add_new("WindowWidth", "FD", width)
    window.VOILUTFunction = function
    window.PhotometricInterpretation = "MONOCHROME2"
    window.PixelRepresentation, window.BitsStored = 0, 1  # the result is from 0 to 1
    with np.errstate(over="ignore"):  # far below a sigmoid window
        return apply_windowing(values, window)


def _without_window(
    layout: Layout, rescaled: np.ndarray, sample: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    missing = "This file has no brightness settings;"
    if layout.bits <= 8:
        # Eight bits are usually made for a screen.
        low, high = rescaled.min(), rescaled.max()
        grey = (rescaled - low) / ((high - low) or 1)
        return grey, [f"{missing} its values were used unchanged."]
    return _stretched(rescaled, sample), [f"{missing} {_STRETCHED}"]


def _stretched(rescaled: np.ndarray, sample: np.ndarray) -> np.ndarray:
    if not len(sample):
        return np.zeros(len(rescaled))
    low, high = np.percentile(rescaled[sample], [_DARKEST, _BRIGHTEST])
    return np.clip((rescaled - low) / ((high - low) or 1), 0, 1)


def _is_flat(grey: np.ndarray) -> bool:
    return not len(grey) or float(np.ptp(np.percentile(grey, [1, 99]))) < _FLAT


def _look_up(
    lut: Header | None, layout: Layout, values: np.ndarray
) -> tuple[np.ndarray, int] | None:
    """Applies a LUT.

    pydicom's `apply_voi` is not used: its pixels are wrong for more than 256 entries of 8 bits and
    for rescaled values with fractions or above 65,535, and it raises errors where two entries share
    a word or have more bits than stated.

    Returns:
        The entries for the values, and the bits of an entry; None without a usable LUT.
    """
    if lut is None:
        return None
    length, _, bits = (*lut.words("LUTDescriptor"), 0, 0, 0)[:3]
    first = int(lut.words("LUTDescriptor", signed=layout.signed or values.min() < 0)[1:2].sum())
    entries = _entries(lut, int(length) or 65536)
    if not len(entries) or not 1 <= bits <= 16:
        return None
    places = np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(int)
    # Some devices state fewer bits than they use.
    return entries[places].astype(float), max(int(bits), int(entries.max()).bit_length())


def _entries(lut: Header, length: int) -> np.ndarray:
    """Returns the entries of a LUT, which have 16 bits, or 8 bits with two in a word."""
    words = lut.words("LUTData")
    if len(words) >= length:
        return words[:length]
    packed = words.astype("<u2").view(np.uint8)
    return packed[:length] if len(packed) >= length else words[:0]
