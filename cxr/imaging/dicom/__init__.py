"""Reads one grey X-ray image from a DICOM file; only `cxr.imaging.reader` calls `read`.

    signature    tells DICOM files from others by their first bytes
    header       parses the elements that are needed
    checks       rejects what is not a single grey X-ray image, collects warnings
    pixel_data   gets the stored values, through `decoder` where they are compressed
    grey         applies modality LUT, VOI LUT or window, padding and inversion

Every file is assumed to be hostile. What protects against it:

- The header parser takes values as bytes of a bounded length, and stops after 50,000 reads.
- Sizes are checked before anything is decompressed; a deflated file has an upper limit.
- Native decoders run in a process of their own with limits on time and memory.
- Any other exception on the way becomes the error "damaged".

Patient data is never read, shown or logged: it is not among the elements that are kept.
"""

from typing import TYPE_CHECKING

from cxr.imaging.dicom.signature import HEAD, looks_like

if TYPE_CHECKING:
    from cxr.imaging.types import GreyImage

__all__ = ["HEAD", "SUFFIX", "looks_like", "read"]

SUFFIX = ".dcm"


def read(data: bytes) -> "GreyImage":
    """Reads one image.

    Args:
        data: The bytes of the file.

    Returns:
        The image, bone white.

    Raises:
        ImageError: The file cannot be read, or is not a single grey X-ray image.
    """
    from cxr.imaging.dicom import image  # imported here, because importing pydicom takes 0.3 s

    return image.read(data)
