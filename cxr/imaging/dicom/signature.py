"""Tells DICOM files from others by their first bytes."""

HEAD = 132  # bytes that `looks_like` needs

_PREFIX = slice(128, 132)
_VALUE_TYPES = {b"AE", b"CS", b"DA", b"LO", b"OB", b"SH", b"TM", b"UI", b"UL", b"US"}


def looks_like(start: bytes) -> bool:
    """Returns whether a file with this start is DICOM, with or without the preamble."""
    return start[_PREFIX] == b"DICM" or is_bare(start)


def is_bare(start: bytes) -> bool:
    """Returns whether a file with this start may be DICOM without the preamble.

    Old files lack it. They begin with the first element of group 0002 or 0008.
    """
    if len(start) < 8 or start[_PREFIX] == b"DICM":
        return False
    if start[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") and start[4:6] in _VALUE_TYPES:
        return True
    # Implicit encoding has no value types: expect a low element with a short value of even length.
    return start[:2] == b"\x08\0" and start[3] == 0 and start[4] % 2 == 0 and start[5:8] == bytes(3)
