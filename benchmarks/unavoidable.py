"""The physical limit of a prediction: decode an image, resize it and run the network."""

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from cxr import machine
from cxr.imaging import grey_png
from cxr.model import model_folder


def steps(model: Path, size: int, threads: int | None = None) -> Callable[[bytes], None]:
    """A function that takes an image file through these steps, with the fastest decoder known.

    ONNX Runtime has its default settings, except that its threads stop spinning after a run:
    spinning threads would slow down what is measured next.

    Args:
        model: Model folder.
        size: Side of the network's input in pixels.
        threads: Threads of the network; all cores if None.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or machine.cores()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(model / model_folder.ONNX), options)

    def run(image: bytes) -> None:
        small = np.asarray(_grey(image).resize((size, size), Image.Resampling.BILINEAR), np.float32)
        session.run(None, {"image": small[None, None] / 255})

    return run


def _grey(image: bytes) -> Image.Image:
    if (grey := grey_png.decode(image)) is not None:
        return Image.fromarray(grey)
    return Image.open(io.BytesIO(image)).convert("L")


def rate(images: list[bytes], model: Path) -> float:
    """Images a second that go through these steps, one image on each core."""
    run = steps(model, model_folder.load(model).image_size, threads=1)
    with ThreadPoolExecutor(machine.cores()) as pool:
        list(pool.map(run, images[: 2 * machine.cores()]))
        begun = time.perf_counter()
        list(pool.map(run, images))
        return len(images) / (time.perf_counter() - begun)
