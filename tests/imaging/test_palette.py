"""Palettes whose see-through colour is the first: its number, 0, is a colour like any other."""

import numpy as np
from PIL import Image
from support.images import encode

from cxr import imaging


def test_first_colour_of_a_palette_can_be_transparent():
    """Colour 0, light grey and see-through, becomes black, and the reader is told."""
    places = np.zeros((66, 64), np.uint8)
    places[:33] = 1
    image = Image.fromarray(places)
    image.putpalette([200, 200, 200, 250, 250, 250])
    image = imaging.read_image(encode(image, transparency=0))
    np.testing.assert_allclose(image.pixels, np.where(places, 250 / 255, 0), atol=1e-6)
    assert image.warnings == ("See-through parts of this image were taken as black.",)
