"""What else serving could be made of, against what it is made of.

    python -m benchmarks.alternatives.serving [--films FOLDER] [--data FOLDER]

Writes docs/alternatives/serving.json. --films: 1024x1024 PNG; --data: the starter's data, whose
training films int8 is calibrated on and whose validation films judge it. Takes some minutes.
"""

import argparse
import io
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import onnxruntime
from PIL import Image

from benchmarks import here
from benchmarks.alternatives import int8
from cxr import atomic, grey_png, machine, model_folder, radiograph

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "starter"
OUTPUT = ROOT / "docs" / "alternatives" / "serving.json"
ROUNDS = 7
SHORT_SPIN = {
    "session.intra_op.spin_duration_us": "50",
    "session.force_spinning_stop": "1",
}

Run = Callable[[np.ndarray], Any]


def main() -> None:
    """Measures everything, prints it and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = ROOT.parent / "shared"
    parser.add_argument("--films", type=Path, default=shared / "nih_1024")
    parser.add_argument("--data", type=Path, default=shared / "nih")
    options = parser.parse_args()
    grey = [
        file
        for path in sorted((options.films / "images").glob("*.png"))
        if (decoded := grey_png.decode(file := path.read_bytes())) and decoded.mode == "L"
    ]
    size = model_folder.load(MODEL).image_size
    pixels = [radiograph.squeeze(radiograph.read(film), size)[None, None] for film in grey]
    found = {
        "machine": here.description(),
        "decoders": decoders(grey),
        "sessions": sessions(pixels),
        "start": start(),
        "at_once": at_once(grey, size),
        "int8": int8.measure(MODEL, options.data),
    }
    print(json.dumps(found, indent=2))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(OUTPUT, json.dumps(found, indent=2) + "\n")


def decoders(films: list[bytes]) -> dict[str, dict[str, float]]:
    """Milliseconds to decode a film to grey, {kind of file: {decoder: ms}}."""
    jpegs = [_jpeg(film) for film in films]
    png = {
        "image-png (kornia_rs)": grey_png.decode,
        "Pillow": _pillow,
        "OpenCV": _opencv,
        "libspng (imagecodecs)": imagecodecs.spng_decode,
        "libpng (imagecodecs)": imagecodecs.png_decode,
    }
    jpeg = {
        "Pillow": _pillow,
        "Pillow, scaled by libjpeg-turbo": _pillow_scaled,
        "OpenCV": _opencv,
        "libjpeg-turbo (imagecodecs)": imagecodecs.jpeg8_decode,
    }
    return {"PNG": _in_turns(png, films), "JPEG": _in_turns(jpeg, jpegs)}


def sessions(pixels: list[np.ndarray]) -> dict[str, float]:
    """Milliseconds of one run that is alone, by the settings of ONNX Runtime."""
    spinning = {"session.force_spinning_stop": "1"}
    asleep = {"session.intra_op.allow_spinning": "0"}
    ways = {
        "all cores, threads awake for 50 us, then asleep": _session(SHORT_SPIN),
        "all cores, threads awake during the run": _session(spinning),
        "all cores, threads asleep between its parts": _session(asleep),
        "one core": _session({}, threads=1),
        "all cores, no arena": _session(SHORT_SPIN, enable_cpu_mem_arena=False),
        "all cores, no memory pattern": _session(SHORT_SPIN, enable_mem_pattern=False),
    }
    return _in_turns({way: _runner(session) for way, session in ways.items()}, pixels)


def start() -> dict[str, float]:
    """Milliseconds to open the network, from its file and from one saved with its graph optimised.

    The second is smaller by what optimising takes, but is made for one kind of processor.
    """
    with tempfile.TemporaryDirectory() as scratch:
        saved = f"{scratch}/optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = saved
        onnxruntime.InferenceSession(str(MODEL / model_folder.ONNX), options)
        plain = onnxruntime.SessionOptions()
        done = onnxruntime.SessionOptions()
        done.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        ways = {
            "as it is": lambda _: onnxruntime.InferenceSession(
                str(MODEL / model_folder.ONNX), plain
            ),
            "saved optimised": lambda _: onnxruntime.InferenceSession(saved, done),
        }
        return _in_turns(ways, [None])


def at_once(films: list[bytes], size: int) -> dict[str, float]:
    """Films a second when twice as many are there at a time as there are cores, by the way they
    share them; decoding included."""
    alone, asleep = _session(SHORT_SPIN), _session({"session.intra_op.allow_spinning": "0"})
    ways: dict[str, Run] = {
        "a core each": _runner(_session({}, threads=1)),
        "in turns, each on all cores": _locked(_runner(alone)),
        "in turns, each on all cores, threads asleep": _locked(_runner(asleep)),
        "all that wait as one batch, on all cores": _Batches(_runner(alone)),
        "all that wait as one batch, threads asleep": _Batches(_runner(asleep)),
    }

    def rate(run: Run) -> float:
        def answer(film: bytes) -> None:
            run(radiograph.squeeze(radiograph.read(film), size)[None, None])

        with ThreadPoolExecutor(2 * machine.cores()) as pool:
            list(pool.map(answer, films[:4]))
            begun = time.perf_counter()
            list(pool.map(answer, films * 3))
            return 3 * len(films) / (time.perf_counter() - begun)

    rounds = [{way: rate(run) for way, run in ways.items()} for _ in range(5)]
    return {way: round(statistics.median(r[way] for r in rounds), 1) for way in ways}


class _Batches:
    """Whoever gets the turn runs the network for all that wait."""

    def __init__(self, run: Run):
        self.run, self.waiting = run, []
        self.door, self.turn = threading.Lock(), threading.Lock()

    def __call__(self, film: np.ndarray) -> Any:
        mine: list[Any] = [film, None]
        with self.door:
            self.waiting.append(mine)
        with self.turn:
            if mine[1] is None:
                with self.door:
                    batch, self.waiting = self.waiting, []
                outputs = self.run(np.concatenate([film for film, _ in batch]))
                for i, one in enumerate(batch):
                    one[1] = [output[i] for output in outputs]
        return mine[1]


def _locked(run: Run) -> Run:
    turn = threading.Lock()

    def in_turn(film: np.ndarray) -> Any:
        with turn:
            return run(film)

    return in_turn


def _runner(session: onnxruntime.InferenceSession) -> Run:
    return lambda film: session.run(None, {"image": film})


def _session(
    entries: dict[str, str], threads: int | None = None, **settings: bool
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or machine.cores()
    for name, value in settings.items():
        setattr(options, name, value)
    for key, entry in entries.items():
        options.add_session_config_entry(key, entry)
    return onnxruntime.InferenceSession(str(MODEL / model_folder.ONNX), options)


def _in_turns(ways: dict[str, Callable[[Any], Any]], items: Sequence[Any]) -> dict[str, float]:
    """Milliseconds an item of each way, the median of rounds in which each is measured once."""
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            begun = time.perf_counter()
            for item in items:
                work(item)
            rounds[way].append(1000 * (time.perf_counter() - begun) / len(items))
    return {way: round(statistics.median(taken), 2) for way, taken in rounds.items()}


def _pillow(film: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(film)).convert("L"))


def _pillow_scaled(film: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(film))
    image.draft("L", (image.width // 2, image.height // 2))
    return np.asarray(image)


def _opencv(film: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(film, np.uint8), cv2.IMREAD_GRAYSCALE)


def _jpeg(film: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(film)).convert("L").save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
