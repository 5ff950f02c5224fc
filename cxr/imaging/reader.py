"""Any image file -> grey pixels 0..1 plus what the file says of itself.

Training and serving both read images with `read` and bring them to the network's size with
`squeeze`, so that the network meets the same pixels in both. Pillow does the decoding, from a
fixed list of formats; `cxr.imaging.dicom` reads DICOM, `cxr.imaging.grey_png` what most images are.
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
# The usual suffixes of those formats and of DICOM, lower case.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", dicom.SUFFIX)

# How files of the accepted formats begin: tells a cut-off image from a file of another kind.
_SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}

_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a TIFF tag and one of its values

# Pillow warns of sizes that `check_size` judges by itself, and of damage that `read` reports.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(source: str | Path | bytes | BinaryIO) -> GreyImage:
    """Reads one image: PNG, JPEG, TIFF, WebP or BMP; 8 or 16 bit; grey, colour, alpha or palette;
    or DICOM, of one grey image.

    source: a path, the file's bytes, or an open binary file.
    Raises ImageError; its `code` says what is wrong, its message says it to the user.
    """
    data = _read_bytes(source)
    if dicom.looks_like(data):
        return dicom.read(data)
    if decoded := grey_png.decode(data):
        check_size(decoded.grey.shape[1], decoded.grey.shape[0])
        return GreyImage(decoded.grey, _facts("PNG", decoded.mode, decoded.grey, 8, 8))
    image = _open(data)
    try:
        check_size(*image.size)
        _check_pages(image)
        image.load()
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
        # On a damaged file Pillow's decoders raise whatever they stumble over.
        raise damaged() from error
    grey, bits, bits_used, notes = _to_grey(image)
    kind = image.format or _format_of(data)
    return GreyImage(grey, _facts(kind, image.mode, grey, bits, bits_used), tuple(notes))


def _facts(
    kind: str, mode: str, grey: np.ndarray, bits: int, bits_used: int
) -> dict[str, str | int]:
    height, width = grey.shape
    return {
        "format": kind,
        "mode": mode,
        "width": width,
        "height": height,
        "bits": bits,
        "bits_used": bits_used,
    }


def _read_bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | Path):
        name = Path(source).name or str(source)  # folders of a server are nobody's business
        try:
            data = Path(source).read_bytes()
        except (FileNotFoundError, ValueError) as error:  # ValueError: a name no file can have
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


def _open(data: bytes) -> Image.Image:
    """Opens the header only. Raises the ImageError that fits."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except Exception as error:
        if _format_of(data):
            raise damaged() from error
        raise not_an_image() from error


def _check_pages(image: Image.Image) -> None:
    # Phones write a JPEG with a preview behind it ("MPO"); its first image is the image.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            "several_images",
            "This file holds several images (an animation or many pages); save one image as one "
            "picture.",
        )


def _to_grey(image: Image.Image) -> tuple[np.ndarray, int, int, list[str]]:
    """Grey (uint8, or float32 0..1 of more bits), bits of the file, bits used, warnings."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_grey(image)
    flat, notes = _flatten(image)
    return np.asarray(flat if flat.mode == "L" else flat.convert("L")), 8, 8, notes


def _deep_to_grey(image: Image.Image) -> tuple[np.ndarray, int, int, list[str]]:
    """Pixels of over 8 bits a value: 16-bit whole numbers, 32-bit whole numbers, floats."""
    pixels, bits, bits_used, notes = _scale_deep(image)
    # Pillow turns the values over where a TIFF counts from white, but only those of 8 bits.
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        np.subtract(1, pixels, out=pixels)
    return pixels, bits, bits_used, notes


def _scale_deep(image: Image.Image) -> tuple[np.ndarray, int, int, list[str]]:
    values = np.asarray(image).astype(np.float32)
    if image.mode.startswith("I;16"):
        return _scale_16_bit(values)
    if not np.isfinite(values).all():
        raise damaged()
    low, high = float(values.min()), float(values.max())
    if image.mode == "I" and low >= 0 and high <= 65535:
        return _scale_16_bit(values)
    # Halves: the difference of two floats may be past the largest float.
    half_span = np.float32(max(high / 2 - low / 2, float(np.finfo(np.float32).tiny)))
    warning = "The file does not say where black and white lie; its own darkest and brightest \
pixels were taken."
    return (values / 2 - np.float32(low / 2)) / half_span, 32, 32, [warning]


def _scale_16_bit(values: np.ndarray) -> tuple[np.ndarray, int, int, list[str]]:
    """Detectors store 10 to 14 bits in 16-bit files: scales by the bits that the values fill."""
    brightest = int(values.max())
    bits_used = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
    notes = []
    if bits_used < 16:
        notes.append(
            f"This 16-bit file only uses {bits_used} bits; its brightness was scaled to that."
        )
    return values * np.float32(1 / (2**bits_used - 1)), 16, bits_used, notes


def _flatten(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """An 8-bit image without palette or transparency, and warnings on what it had."""
    notes: list[str] = []
    if image.mode in ("1", "L"):
        return image, notes
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in ("RGB", "RGBA", "LA"):
        image = image.convert("RGBA" if image.mode in ("PA", "La", "RGBa") else "RGB")
    if image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema() != (255, 255):
        notes.append("See-through parts of this image were taken as black.")
        black = Image.new(image.mode, image.size, (0,) * (len(image.mode) - 1) + (255,))
        image = Image.alpha_composite(black.convert("RGBA"), image.convert("RGBA"))
    if image.mode in ("RGB", "RGBA") and _is_coloured(image):
        notes.append("This image is in colour; a radiograph is grey.")
    return image, notes


def _is_coloured(image: Image.Image) -> bool:
    """Whether the channels differ by more than compression noise, on a thinned-out copy."""
    side = min(128, *image.size)
    thin = np.asarray(image.resize((side, side), Image.Resampling.NEAREST)).astype(np.int16)
    red, green, blue = np.moveaxis(thin[..., :3], -1, 0)
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    return float((most - least).mean()) > 4.0


def _format_of(data: bytes) -> str:
    """The accepted format that the first bytes announce, or ''."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    # Text may begin with "BM" too; a bitmap goes on with its length and four zero bytes.
    if data[:2] == b"BM" and not any(data[6:10]):
        return "BMP"
    return next((name for start, name in _SIGNATURES.items() if data.startswith(start)), "")
