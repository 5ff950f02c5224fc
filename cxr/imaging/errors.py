"""What can be wrong with an image file: one class of error, one function a message."""

MIN_SIDE = 64
MAX_PIXELS = 100_000_000


class ImageError(ValueError):
    """A file that cannot be read as an image; the message is one sentence for a layman."""


class Missing(ImageError):
    """There is no such file, or it may not be opened."""


class Empty(ImageError):
    """The file holds no bytes."""


class NotAnImage(ImageError):
    """The file is not an image in one of the accepted formats."""


class Truncated(ImageError):
    """The file begins as an image but is cut off or damaged."""


class TooSmall(ImageError):
    """The image is under 64 pixels a side."""


class TooManyPixels(ImageError):
    """The image has over 100 million pixels."""


class Animated(ImageError):
    """The file holds several images."""


def check_size(width: int, height: int) -> None:
    """Raises TooManyPixels or TooSmall; for sizes that a header states, before decoding."""
    if width * height > MAX_PIXELS:
        raise too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise TooSmall(
            f"This image has {width}x{height} pixels; an image needs at least {MIN_SIDE} a side."
        )


def not_an_image() -> NotAnImage:
    """The error for files of other kinds."""
    return NotAnImage(
        "This file is not an image that can be read; use PNG, JPEG, TIFF, WebP, BMP or DICOM."
    )


def damaged() -> Truncated:
    """The error for files that begin as an image."""
    return Truncated("This image is cut off or damaged; send or save the file again.")


def too_many_pixels() -> TooManyPixels:
    """The error for images that are too large."""
    return TooManyPixels(
        f"This image has over {MAX_PIXELS // 1_000_000} million pixels; save a smaller copy."
    )
