"""Images in installed packages: photographs, textures, CT, MR, ultrasound and bones.

The packages are located, not imported: only the images of scikit-image and nilearn are used.
Each function yields (name, image) pairs in a fixed order.
"""

import gzip
import importlib.util
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, apply_rescale, pixel_array

Named = Iterator[tuple[str, Image.Image]]

_PHOTOGRAPHS = {
    "skimage": [
        f"data/{name}"
        for name in (
            "astronaut.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "motorcycle_left.png",
            "rocket.jpg",
        )
    ],
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
    "gradio": [
        f"media_assets/images/{name}"
        for name in ("cheetah1.jpg", "cheetah.jpg", "groot.jpeg", "lion.jpg", "tower.jpg")
    ],
    "matplotlib": ["mpl-data/sample_data/grace_hopper.jpg"],
}
_TEXTURES = (
    "brick.png",
    "cell.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "retina.jpg",
)
# Windows in Hounsfield units, from black to white.
_WINDOWS = {"soft tissue": (-160, 240), "lung": (-1350, 150), "bone": (-450, 1050)}
_CT = ("693_UNCR.dcm", "explicit_VR-UN.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm")
_MR = ("MR2_UNCR.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm", "MR_small.dcm", "examples_overlay.dcm")
# Files and the frames that are used.
_ULTRASOUND = {
    "OBXXXX1A.dcm": (0,),
    "US1_UNCR.dcm": (0,),
    "color-pl.dcm": (0,),
    "color3d_jpeg_baseline.dcm": (0, 20, 40, 60, 80, 100),
    "gdcm-US-ALOKA-16.dcm": (0,),
}


def package_file(package: str, name: str) -> Path:
    """Path of a file in an installed package. Raises FileNotFoundError."""
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{package}/{name} is not installed: pip install -r requirements-dev.txt."
        )
    return path


def photographs() -> Named:
    """Photographs in colour; one is grey."""
    for package, names in _PHOTOGRAPHS.items():
        for name in names:
            yield name, Image.open(package_file(package, name)).convert("RGB")


def grey_photographs() -> Named:
    """The same photographs in grey."""
    for name, image in photographs():
        yield name, image.convert("L")


def textures() -> Named:
    """Bricks, grass, cells, tissue, a retina, the moon and the sky, in grey."""
    for name in _TEXTURES:
        yield name, Image.open(package_file("skimage", f"data/{name}")).convert("L")


def ct() -> Named:
    """CT slices of the head, chest and abdomen, in three windows each."""
    for file in _CT:
        data = dicom(file)
        values = apply_rescale(data.pixel_array, data)
        for name, (low, high) in _WINDOWS.items():
            yield f"{file}, {name}", grey(values, low, high)
    for number, frame in enumerate(dicom("eCT_Supplemental.dcm").pixel_array):
        yield f"eCT_Supplemental.dcm, frame {number}", stretched(frame)


def mr() -> Named:
    """MR slices of the shoulder, abdomen and head."""
    for file in _MR:
        yield file, stretched(dicom(file).pixel_array)
    for number, frame in enumerate(dicom("emri_small.dcm").pixel_array):
        yield f"emri_small.dcm, frame {number}", stretched(frame)
    name = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    volume = nifti(package_file("nilearn", name))
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        # This head is symmetric: its sagittal slices come from one half.
        for share in (0.2, 0.27, 0.34, 0.42, 0.5) if axis == 0 else (0.3, 0.4, 0.5, 0.6, 0.7):
            index = round(share * (volume.shape[axis] - 1))
            yield f"MNI152, {plane} {index}", stretched(np.rot90(volume.take(index, axis)))


def ultrasound() -> Named:
    """Ultrasound as on the screen, with text and scales; some in colour."""
    for file, frames in _ULTRASOUND.items():
        data = dicom(file)
        for frame in frames:
            yield f"{file}, frame {frame}", _shown(data, pixel_array(data, index=frame))


def bones() -> Named:
    """An X-ray of a lower leg, whole and in parts, and nuclear bone scans."""
    leg = dicom("RG3_UNCR.dcm").pixel_array.max() - dicom("RG3_UNCR.dcm").pixel_array.astype(int)
    half = len(leg) // 2
    parts = {"whole": leg, "mirrored": leg[:, ::-1], "upper": leg[:half], "lower": leg[half:]}
    for name, part in parts.items():
        yield f"RG3, {name}", stretched(part)
    scan = dicom("JPEG2000_UNC.dcm").pixel_array
    yield "bone scan", stretched(scan)
    yield "bone scan, inverted", stretched(-scan.astype(int))
    yield "bone scan, trunk", stretched(scan[150:450])


def dicom(name: str) -> pydicom.FileDataset:
    """A DICOM file in pydicom or pydicom-data, without a download. Raises FileNotFoundError."""
    path = get_testdata_file(name, download=False)
    if path is None:
        raise FileNotFoundError(f"{name} is not in pydicom or pydicom-data.")
    return pydicom.dcmread(path)


def nifti(path: Path) -> np.ndarray:
    """The first volume [x, y, z] of a gzipped NIfTI-1 file."""
    data = gzip.decompress(path.read_bytes())
    shape = struct.unpack("<8h", data[40:56])[1:4]
    code = struct.unpack("<h", data[70:72])[0]
    kind = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "i1", 512: "<u2"}[code]
    start = int(struct.unpack("<f", data[108:112])[0])
    return np.frombuffer(data, kind, int(np.prod(shape)), start).reshape(shape, order="F")


def grey(values: np.ndarray, low: float, high: float) -> Image.Image:
    """Values [h, w] -> 8 bits: up to `low` is black, from `high` on is white."""
    scaled = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return Image.fromarray((scaled * 255).round().astype(np.uint8))


def stretched(values: np.ndarray) -> Image.Image:
    """Values [h, w] -> 8 bits; 0.5 % are clipped at each end."""
    low, high = np.percentile(values, (0.5, 99.5))
    return grey(values, low, max(high, low + 1))


def _shown(data: pydicom.FileDataset, pixels: np.ndarray) -> Image.Image:
    """One frame of an ultrasound file in its colours."""
    if data.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)
    if pixels.dtype != np.uint8:
        pixels = (pixels >> 8).astype(np.uint8)
    return Image.fromarray(pixels)
