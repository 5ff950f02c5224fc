"""Folders of images in the layout of the Kaggle sample, to measure on."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from cxr_labels import FINDINGS, LABELS

COPIES = 8  # of each image, so that one pass takes long enough to be measured
SIDE = 1024  # pixels


def images_of(data: Path, count: int = 24) -> list[bytes]:
    """The first image files of a folder in the Kaggle sample's layout."""
    return [path.read_bytes() for path in sorted((data / "images").iterdir())[:count]]


def copies(images: Path, folder: Path) -> Path:
    """Writes each image several times under different names, in the Kaggle sample's layout.

    Args:
        images: A folder in that layout. If it does not exist, computed images are used.
        folder: Where to write; it must not exist.

    Returns:
        `folder`.
    """
    (folder / "images").mkdir(parents=True)
    files = sorted((images / "images").glob("*.png")) if images.is_dir() else []
    contents = [path.read_bytes() for path in files] or [_computed(seed) for seed in range(6)] * 4
    lines = ["Image Index,Finding Labels,Patient ID"]
    for i, content in enumerate(contents * COPIES):
        (folder / "images" / f"{i:08d}_000.png").write_bytes(content)
        lines.append(f"{i:08d}_000.png,No Finding,{i}")
    (folder / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def labelled(data: Path, folder: Path, count: int) -> Path:
    """Links the images under `count` names, with made-up labels, patients and boxes.

    Args:
        data: A folder in the Kaggle sample's layout.
        folder: Where to write; it must not exist.
        count: Number of images, two of each patient.

    Returns:
        `folder`.
    """
    (folder / "images").mkdir(parents=True)
    images = sorted((data / "images").iterdir())
    lines = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"]
    boxes = ["Image Index,Finding Label,Bbox [x,y,w,h]"]
    for i in range(count):
        name, label = f"{i:08d}_000.png", LABELS[i % len(LABELS)]
        os.link(images[i % len(images)], folder / "images" / name)
        lines.append(
            f"{name},{label},{i // 2},{20 + i % 60},{'MF'[i % 2]},{('PA', 'AP')[i % 3 % 2]}"
        )
        if label in FINDINGS and i < count // 8:
            boxes.append(f"{name},{label},200,300,250,200")
    (folder / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "BBox_List_2017.csv").write_text("\n".join(boxes) + "\n")
    return folder


def _computed(seed: int) -> bytes:
    """A PNG of 1024x1024 that takes about as long to decode as a chest X-ray."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(128, 60, (16, 16)).astype(np.float32))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    noisy = np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()
