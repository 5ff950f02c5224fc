"""The type of an image after reading."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GreyImage:
    """A grey image.

    Attributes:
        grey: [height, width]; uint8 if the file has up to 8 bits a pixel, else float32 from 0
            (black) to 1 (white).
        warnings: Sentences for the user about what is odd in the file.
    """

    grey: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def pixels(self) -> np.ndarray:
        """float32 [height, width], from 0 (black) to 1 (white)."""
        return unit(self.grey)


def unit(grey: np.ndarray) -> np.ndarray:
    """Converts uint8, or float32 from 0 to 1, to float32 from 0 to 1."""
    if grey.dtype == np.uint8:
        return np.multiply(grey, np.float32(1 / 255), dtype=np.float32)
    return grey
