"""DICOM padding of signed pixels: its bounds are signed as the pixels are."""

import numpy as np
import pytest
from support.dicom_files import image

from cxr import imaging

HEIGHT, WIDTH = 90, 111
# A window far wider than the values, so that nothing but padding is black.
WIDE = {"WindowCenter": 0, "WindowWidth": 200_000, "VOILUTFunction": "LINEAR_EXACT"}


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("bounds", [(-2000, -1500), (-1500, -2000), (-300, 200)])
def test_padding_range_of_signed_pixels_is_black(bounds, syntax, bits):
    """The pixels between the two bounds, whichever is lower, are black, and no others."""
    ramp = np.linspace(-2048, 2047, HEIGHT * WIDTH).astype(np.int16)
    pixels = ramp.reshape(HEIGHT, WIDTH)
    value, limit = bounds
    tags = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit, **WIDE}
    found = imaging.read_image(image(pixels, syntax, bits, **tags))
    padding = (pixels >= min(bounds)) & (pixels <= max(bounds))
    np.testing.assert_array_equal(found.pixels == 0, padding)
