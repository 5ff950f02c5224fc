"""The error of an image file that cannot be used, its codes, and the limits on the size.

The type and the limits have a module of their own, so that the reader, the DICOM package and
`cxr.inference` can raise the error without importing each other.
"""

from typing import Literal

MIN_SIDE = 64  # pixels
MAX_PIXELS = 100_000_000

# Every code that an ImageError can have.
Code = Literal[
    "missing",  # the file does not exist, or may not be opened
    "empty",  # the file has no bytes
    "not_an_image",  # the file is not in one of the accepted formats
    "damaged",  # the file begins as an image, but is cut off or damaged
    "too_small",  # the image has fewer than MIN_SIDE pixels on one side
    "too_large",  # the image has more than MAX_PIXELS pixels, or more than the memory holds
    "several_images",  # the file is an animation, or has several pages or frames
    "colour",  # the pixels of the DICOM file are in colour
    "not_an_xray",  # the DICOM file comes from another kind of examination
    "no_pixels",  # the DICOM file is a directory, a report, or a header without an image
    "unreadable_encoding",  # the DICOM file stores its pixels in a way that is not supported
    "not_a_chest_xray",  # the input check rejected the image (raised by `cxr.inference`)
]


class ImageError(ValueError):
    """An image file that cannot be used.

    Attributes:
        code: What is wrong; callers branch on it.
        message: One plain English sentence for the user. It is also `str(error)`.
    """

    def __init__(self, code: Code, message: str):
        super().__init__(code, message)  # both, so that the error can be pickled
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


def check_size(width: int, height: int) -> None:
    """Checks the size that a header states, before anything is decoded.

    Args:
        width: In pixels.
        height: In pixels.

    Raises:
        ImageError: "too_large" or "too_small".
    """
    if width * height > MAX_PIXELS:
        raise too_large()
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            "too_small",
            f"This image has {width}x{height} pixels; an image needs at least {MIN_SIDE} a side.",
        )


def not_an_image() -> ImageError:
    """Returns the error for a file of another kind."""
    return ImageError(
        "not_an_image",
        "This file is not an image that can be read; use PNG, JPEG, TIFF, WebP, BMP or DICOM.",
    )


def damaged() -> ImageError:
    """Returns the error for a file that begins as an image and cannot be decoded."""
    return ImageError("damaged", "This image is cut off or damaged; send or save the file again.")


def too_large() -> ImageError:
    """Returns the error for an image with more than MAX_PIXELS pixels."""
    return ImageError(
        "too_large",
        f"This image has over {MAX_PIXELS // 1_000_000} million pixels; save a smaller copy.",
    )
