"""The image as read."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class GreyImage:
    """An image as read.

    grey: [height, width], EXIF orientation applied: uint8 where the file has 8 bits, else float32
        from 0 (black) to 1 (white).
    facts: what the file says of itself: format, mode, width, height (as shown), bits (of the
        file), bits_used (that its values fill).
    warnings: sentences for the reader on what looked odd.
    """

    grey: np.ndarray
    facts: dict[str, str | int]
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def pixels(self) -> np.ndarray:
        """float32 [height, width], 0 (black) to 1 (white)."""
        return unit(self.grey)


def unit(grey: np.ndarray) -> np.ndarray:
    """uint8 or float32 grey -> float32, 0..1."""
    if grey.dtype == np.uint8:
        return np.multiply(grey, np.float32(1 / 255), dtype=np.float32)
    return np.clip(grey, 0.0, 1.0)
