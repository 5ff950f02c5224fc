"""The network of a model folder, opened with ONNX Runtime: images in, its three outputs out."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from cxr.model.model_folder import ModelFolderError
from cxr_labels import LABELS

_OUTPUTS = ("logits", "heatmaps", "embedding")

# One pool of memory for all sessions, which grows by what is asked for and not by doubling: a
# fifth less for two images at once.
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1}),
)


@dataclass(frozen=True)
class Outputs:
    """What the network says of N images.

    logits: float32 [N, 15]. heatmap: float32 [N, 15, h, w]. embedding: float32 [N, D].
    """

    logits: np.ndarray
    heatmap: np.ndarray
    embedding: np.ndarray


class Network:
    """The network, which takes all cores for an image that is alone and one for each of several.

    Images that are answered at the same time share the cores image by image: one that is decoded
    keeps one core busy while the network runs on the other. That is more images a second than a run
    at a time on all cores, or one run for all that wait (docs/performance.md has the figures); the
    outputs are the same, bit by bit.
    """

    def __init__(self, path: Path, size: int, cores: int):
        """Opens the file and tries it out. Raises ModelFolderError when it does not fit.

        size: of its input, pixels a side. cores: that it runs on, and the images at once.
        """
        self._whole = _open(path, size, cores)
        self.embedding_size = _try_out(self._whole, path, size)
        self._single = _open(path, size, 1) if cores > 1 else self._whole
        self._free = threading.Semaphore(cores)
        self._counting = threading.Lock()
        self._taken = 0
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One of as many places as there are cores, from the reading of an image to its answer."""
        with self._free:
            self._count(1)
            try:
                yield
            finally:
                self._count(-1)

    def run(self, images: np.ndarray) -> Outputs:
        """The outputs for images float32 [N, 1, S, S], 0..1, bone white."""
        if self._taken > 1:
            return Outputs(*self._single.run(_OUTPUTS, {"image": images}))
        # Several runs at once on all cores take as long, and each its own memory for good.
        with self._turn:
            return Outputs(*self._whole.run(_OUTPUTS, {"image": images}))

    def _count(self, more: int) -> None:
        with self._counting:
            self._taken += more


def _open(path: Path, size: int, cores: int) -> onnxruntime.InferenceSession:
    """The network, to be run on so many cores. Raises ModelFolderError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    # Threads wait awake for the next part of a run, which comes at once, and sleep when the run is
    # over: others have a use for the core then.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # what goes wrong is said by an exception
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own exceptions share no base of their own
        raise ModelFolderError(f"{str(path)!r} is not an ONNX file that can be run.") from error
    takes = [(i.name, i.type, list(i.shape[1:])) for i in session.get_inputs()]
    gives = {o.name for o in session.get_outputs()}
    if takes != [("image", "tensor(float)", [1, size, size])] or not set(_OUTPUTS) <= gives:
        raise ModelFolderError(
            f"{str(path)!r} does not take one grey {size}x{size} image and give "
            f"{', '.join(_OUTPUTS)}."
        )
    return session


def _try_out(session: onnxruntime.InferenceSession, path: Path, size: int) -> int:
    """One blank image, which also warms the session up: whatever is odd shows here, not later.

    Returns the size of the embedding.
    """
    try:
        answered = session.run(_OUTPUTS, {"image": np.zeros((1, 1, size, size), "f4")})
    except Exception as error:
        raise ModelFolderError(f"{str(path)!r} fails on a blank image.") from error
    logits, heatmap, embedding = answered
    answers = logits.shape == (1, len(LABELS)) and heatmap.shape[:2] == (1, len(LABELS))
    if not (answers and heatmap.ndim == 4 and heatmap.size and np.isfinite(logits).all()):
        raise ModelFolderError(f"{str(path)!r} does not answer for the {len(LABELS)} labels.")
    if embedding.ndim != 2 or len(embedding) != 1:
        raise ModelFolderError(f"{str(path)!r} does not give one embedding an image.")
    return embedding.shape[1]
