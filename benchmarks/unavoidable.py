"""The physical limit of serving: decode a film, reduce it, run the network, and nothing else."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from cxr import machine, model_folder


def steps(model: Path, size: int, threads: int | None = None) -> Callable[[bytes], None]:
    """What takes a film file through those steps.

    ONNX Runtime is as it comes, except that its threads do not go on spinning when a run is over:
    they would slow down whatever is measured next.

    size: of the network's input, pixels a side. threads: all cores when None.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or machine.cores()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(model / model_folder.ONNX), options)

    def run(film: bytes) -> None:
        grey = Image.open(io.BytesIO(film)).convert("L")
        small = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR), np.float32)
        session.run(None, {"image": small[None, None] / 255})

    return run
