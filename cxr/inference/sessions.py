"""The network of a model folder, run by ONNX Runtime."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from cxr.model.errors import ModelFolderError
from cxr_labels import LABELS

_OUTPUTS = ("logits", "heatmaps", "embedding")

# All sessions share one memory pool, which grows by what is needed instead of doubling. This saves
# a fifth of the memory when two images are in work.
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1}),
)


@dataclass(frozen=True)
class Outputs:
    """The network's outputs for N images.

    Attributes:
        logits: float32 [N, 15].
        heatmaps: float32 [N, 15, h, w].
        embedding: float32 [N, D].
    """

    logits: np.ndarray
    heatmaps: np.ndarray
    embedding: np.ndarray


class Network:
    """The network of a model: all cores for an image that is alone, one core for each of several.

    Images that are in work at the same time share the cores image by image: while one is decoded
    on one core, the network runs on another. This gives more images a second than runs on all
    cores one after the other, or batches of the images that wait (docs/performance.md has the
    measurements). The outputs are the same bit by bit.
    """

    def __init__(self, path: Path, size: int, cores: int):
        """Opens the file and runs the network once.

        Args:
            path: model.onnx.
            size: The side of its input in pixels.
            cores: The cores to use, and the number of images in work at a time.

        Raises:
            ModelFolderError: The file is not a network that fits.
        """
        self._on_all_cores = _open(path, size, cores)
        self.embedding_size = _try_out(self._on_all_cores, path, size)
        self._on_one_core = _open(path, size, 1) if cores > 1 else self._on_all_cores
        self._slots = threading.Semaphore(cores)
        self._count_lock = threading.Lock()
        self._images_in_work = 0
        self._all_cores_lock = threading.Lock()

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """One of as many slots as there are cores; hold it from decoding an image to its result."""
        with self._slots:
            self._count(1)
            try:
                yield
            finally:
                self._count(-1)

    def run(self, images: np.ndarray) -> Outputs:
        """Runs the network on images float32 [N, 1, S, S], 0..1, bone white."""
        if self._images_in_work > 1:
            return Outputs(*self._on_one_core.run(_OUTPUTS, {"image": images}))
        # Several runs on all cores at once are not faster, and each keeps its own memory.
        with self._all_cores_lock:
            return Outputs(*self._on_all_cores.run(_OUTPUTS, {"image": images}))

    def _count(self, change: int) -> None:
        with self._count_lock:
            self._images_in_work += change


def _open(path: Path, size: int, cores: int) -> onnxruntime.InferenceSession:
    """Opens the network to run on that many cores. Raises ModelFolderError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    # Threads spin briefly between the parts of a run and sleep after it, when others need the core.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # errors are raised, so they need not be logged
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise ModelFolderError(f"{str(path)!r} is not an ONNX file that can be run.") from error
    inputs = [(i.name, i.type, list(i.shape[1:])) for i in session.get_inputs()]
    outputs = {o.name for o in session.get_outputs()}
    if inputs != [("image", "tensor(float)", [1, size, size])] or not set(_OUTPUTS) <= outputs:
        raise ModelFolderError(
            f"{str(path)!r} must take one grey {size}x{size} image and give {', '.join(_OUTPUTS)}."
        )
    return session


def _try_out(session: onnxruntime.InferenceSession, path: Path, size: int) -> int:
    """Runs the network on a blank image, which checks its outputs and warms it up.

    Returns:
        The size of the embedding.
    """
    try:
        found = session.run(_OUTPUTS, {"image": np.zeros((1, 1, size, size), "f4")})
    except Exception as error:
        raise ModelFolderError(f"{str(path)!r} fails on a blank image.") from error
    logits, heatmaps, embedding = found
    one_each = logits.shape == (1, len(LABELS)) and heatmaps.shape[:2] == (1, len(LABELS))
    if not (one_each and heatmaps.ndim == 4 and heatmaps.size and np.isfinite(logits).all()):
        raise ModelFolderError(
            f"{str(path)!r} does not give a logit and a heatmap for each of the {len(LABELS)} "
            "labels."
        )
    if embedding.ndim != 2 or len(embedding) != 1:
        raise ModelFolderError(f"{str(path)!r} does not give one embedding per image.")
    return embedding.shape[1]
