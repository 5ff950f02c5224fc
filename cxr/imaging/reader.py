"""Reads an image file of any accepted format as grey pixels.

`read_image` is the only way in which training, evaluation and the app read images, so the network
always gets the same pixels from the same file. Pillow decodes PNG, JPEG, TIFF, WebP and BMP;
`grey_png` is a faster way for most PNG files; `cxr.imaging.dicom` reads DICOM.

What becomes of the different kinds of files:

- 8 bits: the values are kept as uint8. Colours become grey with Pillow's weights (ITU-R 601-2); a
  clearly coloured image gets a warning. Palettes are looked up. Transparent parts become black,
  with a warning. Pillow reads PNGs of 16 bits a colour as 8 bits.
- 16 bits, grey: float32. Detectors store 10 to 14 bits in 16-bit files, so white is the end of the
  smallest of the ranges of 8, 10, 12, 14 and 16 bits that holds all values; a warning names a range
  below 16 bits.
- 32 bits (TIFF): float32 from the image's own darkest to its brightest pixel, with a warning.
- The network and the page see 8 bits of every image: `cxr.imaging.resize` reduces deeper ones.
- The EXIF orientation is applied once. Files with several images are rejected; of an MPO file
  (JPEG with a preview) the first image is read.
- The limits MIN_SIDE and MAX_PIXELS (`cxr.imaging.errors`) are checked on the size that the header
  states, before the pixels are decoded.
"""

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from cxr.imaging import dicom, grey_png
from cxr.imaging.errors import ImageError, check_size, damaged, not_an_image, too_large
from cxr.imaging.types import GreyImage

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
# The usual suffixes of these formats and of DICOM, lower case.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", dicom.SUFFIX)

# How files of these formats begin; WebP and BMP are in `_begins_as_image`.
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ORIENTATION = 0x0112  # an EXIF tag
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a TIFF tag and one of its values

# Pillow warns of large sizes, which `check_size` judges, and of damage, which becomes an error.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What `read_image` accepts.
Source = str | Path | bytes | BinaryIO | Image.Image | np.ndarray


def read_image(source: Source) -> GreyImage:
    """Reads one image: PNG, JPEG, TIFF, WebP, BMP or DICOM.

    Args:
        source: A path, the bytes of a file, or an open binary file; or an image that is decoded
            already: a Pillow image, or an array of uint8 ([height, width] or [height, width, 3]) or
            uint16 ([height, width]), 0 black.

    Returns:
        The image with its EXIF orientation applied, and warnings about what is odd.

    Raises:
        ImageError: The file cannot be read; `code` says why.
    """
    if isinstance(source, np.ndarray):
        return _to_grey(_load(_from_array(source)))
    if isinstance(source, Image.Image):
        return _to_grey(_load(source, in_place=False))
    data = _read_bytes(source)
    if dicom.looks_like(data):
        return dicom.read(data)
    grey = grey_png.decode(data)
    if grey is not None:
        check_size(grey.shape[1], grey.shape[0])
        return GreyImage(grey)
    return _to_grey(_load(_open(data)))


def _from_array(array: np.ndarray) -> Image.Image:
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    colour = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if not (grey or colour) or not array.size:
        raise ImageError(
            "not_an_image",
            f"An array of {array.dtype} {list(array.shape)} is not an image; use uint8 or uint16 "
            "[height, width], or uint8 [height, width, 3].",
        )
    return Image.fromarray(array)


def _read_bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | Path):
        name = Path(source).name or str(source)  # without the folders, which may be a server's
        try:
            data = Path(source).read_bytes()
        except (FileNotFoundError, ValueError) as error:  # ValueError: an impossible name
            raise ImageError("missing", f"There is no file {name!r}; check its name.") from error
        except OSError as error:
            raise ImageError(
                "missing", f"The file {name!r} could not be opened: {error.strerror}."
            ) from error
    else:
        data = source.read()
    if not data:
        raise ImageError("empty", "This file is empty; choose the image again.")
    return data


def _load(image: Image.Image, in_place: bool = True) -> Image.Image:
    """Decodes the pixels and applies the EXIF orientation, in place or to a copy."""
    try:
        check_size(*image.size)
        _check_pages(image)
        image.load()
        if not in_place and image.getexif().get(_ORIENTATION, 1) != 1:
            return ImageOps.exif_transpose(image)
        ImageOps.exif_transpose(image, in_place=True)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except MemoryError as error:
        raise ImageError(
            "too_large", "This image is too large to be opened on this machine."
        ) from error
    except Exception as error:
        # On a damaged file Pillow's decoders raise errors of any kind.
        raise damaged() from error
    return image


def _open(data: bytes) -> Image.Image:
    """Opens the header only."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except Exception as error:
        raise (damaged() if _begins_as_image(data) else not_an_image()) from error


def _begins_as_image(data: bytes) -> bool:
    """Returns whether the file is an image of an accepted format, though it cannot be opened."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return True
    # Text may begin with "BM" too; a bitmap continues with its length and four zero bytes.
    if data[:2] == b"BM" and not any(data[6:10]):
        return True
    return data.startswith(_SIGNATURES)


def _check_pages(image: Image.Image) -> None:
    # MPO is the JPEG of phones with a preview behind the image.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            "several_images",
            "This file contains several images (an animation or several pages); save one image as "
            "a file of its own.",
        )


def _to_grey(image: Image.Image) -> GreyImage:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_grey(image)
    flat, warnings = _flatten(image)
    return GreyImage(np.asarray(flat if flat.mode == "L" else flat.convert("L")), tuple(warnings))


def _deep_to_grey(image: Image.Image) -> GreyImage:
    """Converts pixels of more than 8 bits: 16-bit integers, 32-bit integers, floats."""
    values = np.asarray(image).astype(np.float32)
    is_16_bit = image.mode.startswith("I;16") or (
        image.mode == "I" and values.min() >= 0 and values.max() <= 65535
    )
    grey, warnings = _scale_16_bit(values) if is_16_bit else _scale_32_bit(values)
    # Pillow inverts a TIFF whose zero is white only if it has 8 bits.
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        np.subtract(1, grey, out=grey)
    return GreyImage(grey, warnings)


def _scale_16_bit(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    brightest = int(values.max())
    bits = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
    grey = values * np.float32(1 / (2**bits - 1))
    if bits == 16:
        return grey, ()
    return grey, (f"This 16-bit file uses only {bits} bits; its brightness was scaled to them.",)


def _scale_32_bit(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if not np.isfinite(values).all():
        raise damaged()
    low, high = float(values.min()), float(values.max())
    # Halves, because the difference of two floats may be larger than the largest float.
    half_span = np.float32(max(high / 2 - low / 2, float(np.finfo(np.float32).tiny)))
    warning = (
        "This file does not say which values are black and white; its darkest and brightest pixels "
        "were used."
    )
    grey = (values / 2 - np.float32(low / 2)) / half_span
    return np.clip(grey, 0, 1, out=grey), (warning,)  # rounding


def _flatten(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Removes palette and transparency from an 8-bit image; also returns warnings."""
    warnings: list[str] = []
    if image.mode in ("1", "L"):
        return image, warnings
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "La":
        image = image.convert("LA")  # Pillow converts it to nothing else
    elif image.mode not in ("RGB", "RGBA", "LA"):
        image = image.convert("RGBA" if image.mode in ("PA", "RGBa") else "RGB")
    if image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema() != (255, 255):
        warnings.append("Transparent parts of this image are shown as black.")
        black = Image.new(image.mode, image.size, (0,) * (len(image.mode) - 1) + (255,))
        image = Image.alpha_composite(black.convert("RGBA"), image.convert("RGBA"))
    if image.mode in ("RGB", "RGBA") and _is_coloured(image):
        warnings.append("This image is in colour; a chest X-ray is grey.")
    return image, warnings


def _is_coloured(image: Image.Image) -> bool:
    """Returns whether the channels differ by more than compression noise, on a small copy."""
    side = min(128, *image.size)
    small = np.asarray(image.resize((side, side), Image.Resampling.NEAREST)).astype(np.int16)
    return float(np.ptp(small[..., :3], axis=2).mean()) > 4.0
