"""Over 300 damaged, hostile and odd inputs, made from a seed, for `test_hostile_images`.

Inputs that can contain text contain MARK, so that a leak can be recognised.
"""

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom.uid as uid
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dicom_files
from support.image_files import chunk, png
from support.images import encode

MARK = "Planted^Patricia"
_NAME = MARK.encode()


@dataclass(frozen=True)
class Hostile:
    """One input: `data` uploaded under the name `file`, or, without data, `sent` as JSON."""

    name: str
    data: bytes | None = None
    file: str = "image.png"
    sent: Any = None


def every(image: np.ndarray, seed: int = 0) -> list[Hostile]:
    """All inputs. image: uint8 [H, W]."""
    rng = random.Random(seed)
    small = np.asarray(Image.fromarray(image).resize((160, 160)))
    return [
        *_damaged(small, rng),
        *_bombs(),
        *_polyglots(small),
        *_wrong_suffixes(small),
        *_other_files(rng),
        *_metadata(small),
        *_tags(small),
        *_names(small),
        *_addresses(),
    ]


def _damaged(image: np.ndarray, rng: random.Random) -> Iterator[Hostile]:
    """Truncations and bit flips of every format and every DICOM transfer syntax."""
    for kind, data in _encoded(image).items():
        file = "image.dcm" if kind.startswith("DICOM") else "image.png"
        for share in (0.02, 0.4, 0.97):
            yield Hostile(f"{kind} cut at {share}", data[: max(1, int(share * len(data)))], file)
        for number in range(6):
            # Half of them in the header, which contains sizes and lengths.
            places = range(min(len(data), 600 if number % 2 else len(data)))
            flipped = bytearray(data)
            for place in rng.sample(places, min(len(places), 1 + 3 * number)):
                flipped[place] ^= 1 << rng.randrange(8)
            yield Hostile(f"{kind} flipped {number}", bytes(flipped), file)


def _encoded(image: np.ndarray) -> dict[str, bytes]:
    deep = image.astype(np.uint16) * 16
    rgb = Image.fromarray(image).convert("RGB")
    made = {
        "PNG": encode(image),
        "PNG 16": encode(deep),
        "JPEG": encode(image, "JPEG"),
        "JPEG progressive": encode(image, "JPEG", progressive=True),
        "TIFF": encode(image, "TIFF"),
        "TIFF LZW": encode(deep, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": encode(image, "TIFF", compression="tiff_deflate"),
        "TIFF JPEG": encode(image, "TIFF", compression="jpeg"),
        "WebP": encode(rgb, "WEBP"),
        "WebP lossless": encode(rgb, "WEBP", lossless=True),
        "BMP": encode(image, "BMP"),
    }
    for syntax in dicom_files.SYNTAXES:
        eight = syntax == "jpeg baseline"
        pixels, bits = (image, 8) if eight else (deep, 12)
        made[f"DICOM {syntax}"] = dicom_files.image(pixels, syntax, bits)
    return made


def _bombs() -> Iterator[Hostile]:
    """Small files that state, or decompress to, very many pixels."""
    black = np.zeros((128, 128), np.uint8)
    for width, height in ((60_000, 60_000), (2**31 - 1, 1), (14_000, 14_000), (1, 2**30)):
        yield Hostile(f"PNG of {width}x{height}", _png(width, height, b"\0" * 1000))
    yield Hostile("PNG that is a bomb", _png(30_000, 30_000, bytes(30_000 * 3751), depth=1))
    yield Hostile("PNG of just 99 megapixels", _png(9_900, 10_000, bytes(9_901 * 10_000)))
    yield Hostile("PNG with too much inside", _png(100, 100, bytes(50_000_000)))
    jpeg = bytearray(encode(black, "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">2H", 65_500, 65_500)
    yield Hostile("JPEG of 65500x65500", bytes(jpeg), "a.jpg")
    bmp = bytearray(encode(black, "BMP"))
    bmp[18:26] = struct.pack("<2i", 200_000, 200_000)
    yield Hostile("BMP of 200000x200000", bytes(bmp), "a.bmp")
    tiff = encode(black, "TIFF")
    for field, value in ((256, 2**31 - 1), (257, 2**31 - 1), (277, 65_535), (258, 64), (278, 0)):
        yield Hostile(f"TIFF with {value} in {field}", _tiff_with(tiff, field, value), "a.tif")
    webp = encode(Image.new("RGB", (12_000, 12_000)), "WEBP", lossless=True)
    yield Hostile("WebP of 144 megapixels", webp, "a.webp")
    huge = {"Rows": 65_535, "Columns": 65_535}
    for syntax in ("explicit", "rle", "jpeg-ls", "jpeg 2000", "jpeg baseline", "deflated"):
        bomb = dicom_files.image(black, syntax, 8, **huge)
        yield Hostile(f"DICOM {syntax} of 65535x65535", bomb, "a.dcm")
        lie = dicom_files.image(black, syntax, 8, Rows=9_000, Columns=9_000)
        yield Hostile(f"DICOM {syntax} that lies", lie, "a.dcm")
    for syntax in ("jpeg-ls", "jpeg 2000 lossless", "jpeg baseline", "jpeg lossless"):
        inner = dicom_files.image(np.zeros((4_000, 4_000), np.uint8), syntax, 8)
        old = struct.pack("<2H", 0x28, 0x10) + b"US\2\0" + struct.pack("<H", 4_000)
        new = old[:-2] + struct.pack("<H", 100)
        yield Hostile(f"DICOM {syntax} larger inside", inner.replace(old, new), "a.dcm")
    runs = b"\x81\0" * 3_000_000
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + runs
    yield Hostile("DICOM of long runs", _with_frame(frame, uid.RLELossless), "a.dcm")
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = bytes(2**24)
    packed = b"".join(packer.compress(block) for _ in range(30)) + packer.flush()
    head = dicom_files.image(black, "deflated", 8)
    name = uid.DeflatedExplicitVRLittleEndian.encode()
    head = head[: head.index(name) + len(name)]
    yield Hostile("DICOM deflated bomb", head + packed, "a.dcm")


def _polyglots(image: np.ndarray) -> Iterator[Hostile]:
    """Files of two formats at once."""
    png, jpeg = encode(image), encode(image, "JPEG")
    dicom = dicom_files.image(image)
    script = f"<html><script>alert('{MARK}')</script></html>".encode()
    yield Hostile("PNG with a zip behind", png + _zip({"image.png": png}))
    yield Hostile("JPEG with a page behind", jpeg + script, "image.html")
    yield Hostile("page with a JPEG behind", script + jpeg, "image.jpg")
    yield Hostile("PDF with a PNG behind", b"%PDF-1.7\n" + png, "image.pdf")
    yield Hostile("GIF that is a script", b"GIF89a/*" + png + b"*/=1;alert(1)", "image.gif")
    yield Hostile("DICOM that is a TIFF", b"II*\0\x08\0\0\0" + dicom[8:], "image.tif")
    yield Hostile("DICOM that is a PNG", png[:128] + dicom[128:], "image.png")
    yield Hostile("DICOM that is a program", b"MZ" + dicom[2:], "image.exe")
    yield Hostile("PNG that says DICM", png[:128] + b"DICM" + png[132:], "image.png")
    yield Hostile("JPEG in a comment of a JPEG", jpeg[:2] + _segment(0xFE, jpeg) + jpeg[2:])


def _wrong_suffixes(image: np.ndarray) -> Iterator[Hostile]:
    """Images with the suffix of another format."""
    files = {"PNG": encode(image), "BMP": encode(image, "BMP"), "DICOM": dicom_files.image(image)}
    for kind, data in files.items():
        for file in ("image", "image.dcm", "image.exe", "image.jpg", "image.html", "image.py"):
            yield Hostile(f"{kind} as {file}", data, file)


def _other_files(rng: random.Random) -> Iterator[Hostile]:
    """Other files that a person or a program may upload."""
    entity = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text>{MARK}</text></svg>'
    texts = {
        "image.svg": svg,
        "entity.svg": entity + svg.replace(MARK, "&x;"),
        "script.svg": svg.replace("<text>", "<script>alert(1)</script><text>"),
        "image.html": f"<!doctype html><title>{MARK}</title><img src=x onerror=alert(1)>",
        "image.txt": f"{MARK}: no effusion.",
        "image.json": '{"path": "/etc/passwd"}',
        "image.eps": f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n({MARK}) show\n",
        "image.pnm": "P2 100 100 255\n" + "1 " * 10_000,
        "image.xbm": "#define i_width 99\n#define i_height 99\nstatic char i_bits[] = {0};",
    }
    for file, text in texts.items():
        yield Hostile(file, text.encode(), file)
    grey = np.zeros((100, 100), np.uint8)
    yield Hostile("empty", b"", "image.png")
    yield Hostile("empty DICOM", b"", "image.dcm")
    yield Hostile("PDF", encode(Image.new("RGB", (99, 99)), "PDF"), "image.pdf")
    yield Hostile("GIF", encode(grey, "GIF"), "image.gif")
    yield Hostile("icon", encode(grey, "ICO"), "image.ico")
    yield Hostile("zip", _zip({"image.png": encode(grey)}), "image.zip")
    yield Hostile("zip bomb", _zip({"image.png": bytes(30_000_000)}), "image.zip")
    yield Hostile("gzip", gzip.compress(_NAME), "image.dcm.gz")
    yield Hostile("program", b"\x7fELF" + _NAME * 20, "image")
    yield Hostile("pickle", b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.", "image.pkl")
    for length in (1, 2, 4, 8, 131, 132, 133, 4_000, 500_000):
        yield Hostile(f"{length} random bytes", rng.randbytes(length), "image.dcm")


def _metadata(image: np.ndarray) -> Iterator[Hostile]:
    """Metadata with bombs, loops and nonsense."""
    png, jpeg, tiff = encode(image), encode(image, "JPEG"), encode(image, "TIFF")
    many = zlib.compress(bytes(100_000_000), 1)
    for kind, body in {
        "zTXt": b"Comment\0\0" + many,
        "iCCP": b"profile\0\0" + many,
        "iTXt": b"Comment\0\1\0\0\0" + many,
        "tEXt": b"Comment\0" + _NAME * 100_000,
        "eXIf": b"MM\0*\xff\xff\xff\xff",
    }.items():
        yield Hostile(f"PNG with {kind} bomb", png[:33] + chunk(kind.encode(), body) + png[33:])
    texts = chunk(b"tEXt", b"Comment\0" + _NAME) * 50_000
    yield Hostile("PNG with 50000 texts", png[:33] + texts + png[33:])
    info = PngImagePlugin.PngInfo()
    info.add_text("PatientName", MARK)
    yield Hostile("PNG that names the patient", encode(image, pnginfo=info))
    wrong = chunk(b"tEXt", b"x" * 40)[:-4] + b"\0\0\0\0"
    yield Hostile("PNG with a wrong checksum", png[:33] + wrong + png[33:])
    comments = _segment(0xFE, _NAME * 4_000) * 300
    yield Hostile("JPEG with 300 comments", jpeg[:2] + comments + jpeg[2:], "a.jpg")
    for name, directory in _directories().items():
        exif = _segment(0xE1, b"Exif\0\0" + directory)
        yield Hostile(f"JPEG with EXIF {name}", jpeg[:2] + exif + jpeg[2:], "a.jpg")
    profile = _segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(60_000)) * 200
    yield Hostile("JPEG with 200 profiles", jpeg[:2] + profile + jpeg[2:], "a.jpg")
    looping = bytearray(tiff)
    (start,) = struct.unpack_from("<I", looping, 4)
    (entries,) = struct.unpack_from("<H", looping, start)
    struct.pack_into("<I", looping, start + 2 + 12 * entries, start)
    yield Hostile("TIFF whose pages are a loop", bytes(looping), "a.tif")
    struct.pack_into("<H", looping, start, 65_535)
    yield Hostile("TIFF with 65535 fields", bytes(looping), "a.tif")


def _directories() -> dict[str, bytes]:
    """Invalid EXIF directories."""
    field = struct.Struct("<HHII")
    head = b"II*\0\x08\0\0\0"
    return {
        "that points at itself": head + b"\1\0" + field.pack(0x8769, 4, 1, 8) + bytes(4),
        "of a billion values": head + b"\1\0" + field.pack(0x112, 12, 2**30, 64) + bytes(4),
        "turned by 99": head + b"\1\0" + field.pack(0x112, 3, 1, 99) + bytes(4),
        "of 65535 fields": head + b"\xff\xff" + field.pack(0x10F, 2, 4, 0) * 4_000,
        "past the end": b"II*\0\xff\xff\xff\x7f",
    }


def _tags(image: np.ndarray) -> Iterator[Hostile]:
    """DICOM headers with lies, loops and missing ends."""
    whole = dicom_files.image(image)
    pixels = whole.rindex(struct.pack("<2H", 0x7FE0, 0x10))
    head = whole[:pixels]
    undefined = struct.pack("<2H2s2x", 0x29, 0x1010, b"SQ") + b"\xff\xff\xff\xff"
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    cases = {
        "an endless sequence": head + undefined + item + bytes(5_000),
        "sequences 5000 deep": head + (undefined + item) * 5_000,
        "sequences 200 deep": head + (undefined + item) * 200,
        "a million items": head + undefined + item[:4] + b"\0\0\0\0" * 2_000_000,
        "a million elements": head + struct.pack("<2H2sH", 0x29, 0x1010, b"LO", 0) * 1_000_000,
        "a length past the end": head + struct.pack("<2H2s2xI", 0x29, 0x1010, b"OB", 2**32 - 2),
        "an unknown value type": head + struct.pack("<2H2sH", 0x29, 0x1010, b"ZZ", 9) + whole,
        "its pixels twice": whole + whole[pixels:],
        "its header behind its pixels": head[:400] + whole[pixels:] + head[400:],
        "pixels of no length": whole[:pixels] + whole[pixels : pixels + 8] + bytes(4),
        "pixels without end": whole[: pixels + 8] + b"\xff\xff\xff\xff" + whole[pixels + 12 :],
        "nothing but a prefix": bytes(128) + b"DICM",
        "a prefix and noise": bytes(128) + b"DICM" + bytes(range(256)) * 20,
        "a patient for a modality": whole.replace(b"CS\2\0DX", b"CS\2\0Pl"),
        "a patient for a syntax": whole.replace(b"1.2.840.10008.1.2.1\0", _NAME.ljust(20)),
        "a patient for its colours": whole.replace(b"MONOCHROME2", _NAME[:11]),
    }
    for name, data in cases.items():
        yield Hostile(f"DICOM with {name}", data, "image.dcm")
    odd: dict[str, dict[str, Any]] = {
        "a long window": {"WindowCenter": [1.5] * 3_000, "WindowWidth": [2.5] * 3_000},
        "a window of 1e300": {"WindowCenter": "1e300", "WindowWidth": "1e300"},
        "a rescale of 1e300": {"RescaleSlope": "1e300", "RescaleIntercept": "-1e300"},
        "a rescale of 1e-300": {"RescaleSlope": "1e-300", "RescaleIntercept": "0"},
        "minus one frame": {"NumberOfFrames": -1},
        "a billion frames": {"NumberOfFrames": 10**9},
        "no samples": {"SamplesPerPixel": 0},
        "no bits": {"BitsAllocated": 0, "BitsStored": 0},
        "7 bits": {"BitsAllocated": 7},
        "65535 bits": {"BitsStored": 65_535, "HighBit": 65_534},
        "all of it padding": {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 255},
        "an empty LUT": {"VOILUTSequence": [Dataset()]},
        "a LUT that lies": {"VOILUTSequence": dicom_files.table(0, 99, np.arange(10))},
        "a LUT in a LUT": {"ModalityLUTSequence": Sequence([_nested(40)])},
        "an odd spacing": {"PixelSpacing": [1e-300, 1e300]},
    }
    for name, tags in odd.items():
        yield Hostile(f"DICOM with {name}", dicom_files.image(image, bits=8, **tags), "image.dcm")


def _names(image: np.ndarray) -> Iterator[Hostile]:
    """A good image whose name is a path, a command or empty."""
    good = encode(image)
    for file in (
        "../../x.png",
        "../../../../../../etc/cron.d/x",
        "/etc/x.png",
        "C:\\Windows\\x.png",
        "a\0b.png",
        "x" * 300 + ".png",
        "x" * 5_000 + ".png",
        "胸片.png",
        "é" * 120 + ".png",
        "-rf.png",
        "--help",
        "CON.png",
        "$(touch pwned).png",
        "`id`;.png",
        "<img src=x onerror=alert(1)>.png",
        "{0.__class__}.png",
        "%s%n%2e%2e%2f.png",
        ".",
        "..",
        "",
        "...",
        " ",
        "a\nb.png",
        "a\r\nX-Header: b.png",
        "\u202egnp.exe",
        ".png",
        "~/x.png",
        "a/b/../../c.png",
        f"{MARK}.png",
    ):
        yield Hostile(f"named {file[:40]!r}, {len(file)} long", good, file)


def _addresses() -> Iterator[Hostile]:
    """Paths and addresses sent in place of an uploaded file."""
    for path in (
        "http://127.0.0.1:1/x.png",
        "http://169.254.169.254/latest/meta-data",
        "https://example.invalid/x.png",
        "HTTP://localhost/x.png",
        "file:///etc/passwd",
        "ftp://example.invalid/x.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "\\\\server\\share\\x.png",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "../../etc/passwd",
        "app.py",
        "models/starter/config.json",
        "~/.bashrc",
        "\0",
        "",
        "x" * 5_000,
    ):
        meta = {"_type": "gradio.FileData"}
        yield Hostile(f"path {path[:40]!r}", sent={"path": path, "meta": meta})
        yield Hostile(f"url {path[:40]!r}", sent={"path": "", "url": path, "meta": meta})
        yield Hostile(f"both {path[:40]!r}", sent={"path": path, "url": path, "meta": meta})
    meta = {"_type": f"{MARK}", "x": [{}] * 10}
    odd = (MARK, 5, True, [], {}, {"path": None}, {"path": 5}, {"path": [MARK], "meta": meta}, [[]])
    for number, sent in enumerate(odd):
        yield Hostile(f"odd value {number}", sent=sent)


def _nested(depth: int) -> Dataset:
    data = Dataset()
    if depth:
        data.ModalityLUTSequence = Sequence([_nested(depth - 1)])
    return data


def _with_frame(frame: bytes, syntax: str) -> bytes:
    """A DICOM image of 100x100 with this compressed frame."""
    from pydicom.encaps import encapsulate

    data = Dataset()
    data.SOPClassUID, data.Modality, data.PatientName = (
        uid.ComputedRadiographyImageStorage,
        "CR",
        MARK,
    )
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows = data.Columns = 100
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.add_new("PixelData", "OB", encapsulate([frame]))
    data["PixelData"].is_undefined_length = True
    return dicom_files.written(data, syntax)


def _png(width: int, height: int, raw: bytes, depth: int = 8) -> bytes:
    return png(width, height, zlib.compress(raw, 1), depth)


def _segment(kind: int, body: bytes) -> bytes:
    body = body[:65_500]
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def _tiff_with(tiff: bytes, field: int, value: int) -> bytes:
    """A little-endian TIFF with another value in a field."""
    data = bytearray(tiff)
    (start,) = struct.unpack_from("<I", data, 4)
    for number in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * number
        if struct.unpack_from("<H", data, at)[0] == field:
            struct.pack_into("<HII", data, at + 2, 4, 1, value)
    return bytes(data)


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()
