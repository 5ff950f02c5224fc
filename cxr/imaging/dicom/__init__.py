"""DICOM files -> grey pixels 0..1, for `cxr.imaging.reader`, which is what others call.

`file` reads the header, `accepted` rejects what is no single grey image, `frame` gets the stored
values, in `decoder`, a program of its own, where they are compressed, and `shown` makes grey of
them. All of it takes the file for hostile. Of what a file says of its patient nothing is read.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxr.imaging.types import GreyImage

SUFFIX = ".dcm"
HEAD = 132  # bytes that `looks_like` needs

_VALUE_TYPES = {b"AE", b"CS", b"DA", b"LO", b"OB", b"SH", b"TM", b"UI", b"UL", b"US"}


def looks_like(start: bytes) -> bool:
    """Whether a file that starts so is DICOM, be it without the preamble that the standard wants.

    Such files begin with the first element of group 0002 or 0008.
    """
    return start[128:132] == b"DICM" or is_bare(start)


def is_bare(start: bytes) -> bool:
    """Whether a file that starts so may be DICOM without a preamble."""
    if len(start) < 8 or start[128:132] == b"DICM":
        return False
    if start[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") and start[4:6] in _VALUE_TYPES:
        return True
    # Without value types: a low element, and a value as short as its first ones are.
    return start[:2] == b"\x08\0" and start[3] == 0 and start[4] % 2 == 0 and start[5:8] == bytes(3)


def read(data: bytes) -> "GreyImage":
    """Reads one image.

    Raises ImageError.
    """
    from cxr.imaging.dicom import image  # only now: importing pydicom takes 0.3 s

    return image.read(data)
