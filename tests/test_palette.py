"""Palettes whose see-through colour is the first: its number, 0, is a colour like any other."""

import numpy as np
from films import encode
from PIL import Image

from cxr import radiograph


def test_first_colour_of_a_palette_can_be_transparent():
    """Colour 0, light grey and see-through, becomes black, and the reader is told."""
    places = np.zeros((66, 64), np.uint8)
    places[:33] = 1
    image = Image.fromarray(places)
    image.putpalette([200, 200, 200, 250, 250, 250])
    film = radiograph.read(encode(image, transparency=0))
    np.testing.assert_allclose(film.pixels, np.where(places, 250 / 255, 0), atol=1e-6)
    assert film.warnings == ("See-through parts of this picture were taken as black.",)
