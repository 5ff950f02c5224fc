"""Folders of images in the layout of NIH's data, to measure on."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from cxr_labels import FINDINGS, LABELS

COPIES = 8  # of each image, so that a pass takes long enough to be measured


def images_of(data: Path, count: int = 24) -> list[bytes]:
    """The first image files of a folder in the Kaggle sample's layout."""
    return [path.read_bytes() for path in sorted((data / "images").iterdir())[:count]]


def lay_out(images: Path, folder: Path) -> Path:
    """The images several times under other names, in the Kaggle sample's layout.

    images: a folder in that layout; computed images take the place of one that is absent.
    """
    (folder / "images").mkdir(parents=True)
    pictures = sorted((images / "images").glob("*.png")) if images.is_dir() else []
    contents = [path.read_bytes() for path in pictures] or [_computed(i) for i in range(24)]
    lines = ["Image Index,Finding Labels,Patient ID"]
    for copy in range(COPIES):
        for i, content in enumerate(contents):
            name = f"{copy * len(contents) + i:08d}_000.png"
            (folder / "images" / name).write_bytes(content)
            lines.append(f"{name},No Finding,{copy * len(contents) + i}")
    (folder / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def labelled(data: Path, folder: Path, count: int) -> Path:
    """The same images, linked under `count` names, with labels, groups and boxes made up."""
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
    """A 1024x1024 PNG that is about as hard to decode as an image."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(128, 60, (16, 16)).astype(np.float32))
    smooth = np.asarray(coarse.resize((1024, 1024), Image.Resampling.BICUBIC))
    noisy = np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()
