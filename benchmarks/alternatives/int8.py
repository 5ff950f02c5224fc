"""The starter's network in int8, static and calibrated on its training films, against float32."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from cxr import machine, model_folder, radiograph
from cxr.prevalence import DEFAULT, TRAINING
from cxr.training import nih
from cxr.training.evaluation.metrics import mean_auroc

CALIBRATION = 128  # training films
# What the largest 0.001 % of values do to the steps of all others is left out.
WORST = {"MinMax": CalibrationMethod.MinMax, "Percentile": CalibrationMethod.Percentile}
# As far as int8 may move from float32 to be taken.
AUROC, PROBABILITY = 0.002, 0.01


def measure(model: Path, data: Path) -> dict[str, Any]:
    """Milliseconds of a run, and how far int8's answers lie from float32's on validation films.

    Ways: {calibration: {"ms", "auroc", "probability", "largest", "accepted"}}: the change of mean
    AUROC, the mean change of a probability at NIH's prevalence and at the training set's, and the
    largest of all.
    """
    config = model_folder.load(model)
    split = pd.read_csv(model / "splits.csv").set_index("image_index").split
    found = nih.load(data)
    films = found.table.image.to_numpy()
    parts = split.reindex(films).to_numpy()
    reader = found.source.reader()

    def pixels(rows: np.ndarray) -> Iterator[np.ndarray]:
        for row in rows:
            film = radiograph.read(reader.read(films[row]))
            yield radiograph.squeeze(film, config.image_size)[None, None]

    valid = np.flatnonzero(parts == "valid")
    rng = np.random.default_rng(0)
    seen = rng.choice(np.flatnonzero(parts == "train"), CALIBRATION, replace=False)
    judged, targets = list(pixels(valid)), found.targets[valid]
    path = model / model_folder.ONNX
    with tempfile.TemporaryDirectory() as scratch:
        sessions = {"float32": _session(path)}
        for name, method in WORST.items():
            quantised = Path(scratch) / f"{name}.onnx"
            _quantise(path, quantised, pixels(seen), method)
            sessions[name] = _session(quantised)
        times = _times(sessions, judged[:40])
        logits = {name: _logits(session, judged) for name, session in sessions.items()}
    return {"float32": {"ms": times.pop("float32")}} | {
        name: _judged(config, targets, logits["float32"], logits[name], times[name])
        for name in times
    }


class _Films(CalibrationDataReader):
    def __init__(self, films: Iterator[np.ndarray]):
        self.films = films

    def get_next(self) -> dict[str, np.ndarray] | None:
        film = next(self.films, None)
        return None if film is None else {"image": film}


def _quantise(
    path: Path, output: Path, films: Iterator[np.ndarray], method: CalibrationMethod
) -> None:
    """The body's convolutions in int8; smoothing, stem and head stay as they are."""
    prepared = output.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    layers = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
    quantize_static(
        str(prepared),
        str(output),
        _Films(films),
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv", "Add", "Clip"],
        nodes_to_exclude=[layers[0], *layers[-2:]],
        calibrate_method=method,
    )


def _judged(config, targets: np.ndarray, before: np.ndarray, after: np.ndarray, ms: float) -> dict:
    changes = {
        prevalence: np.abs(
            config.probabilities(after, prevalence) - config.probabilities(before, prevalence)
        )
        for prevalence in (DEFAULT, TRAINING)
    }
    auroc = mean_auroc(targets, after) - mean_auroc(targets, before)
    means = {name: float(change.mean()) for name, change in changes.items()}
    return {
        "ms": ms,
        "auroc": round(auroc, 4),
        "probability": {name: round(mean, 4) for name, mean in means.items()},
        "largest": round(float(max(change.max() for change in changes.values())), 3),
        "accepted": auroc > -AUROC and max(means.values()) < PROBABILITY,
    }


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.cores()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(path), options)


def _times(sessions: dict, films: list[np.ndarray]) -> dict[str, float]:
    """Milliseconds of a run, film by film in turns."""
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for film in films:
        for name, session in sessions.items():
            begun = time.perf_counter()
            session.run(None, {"image": film})
            taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: round(statistics.median(each), 2) for name, each in taken.items()}


def _logits(session: onnxruntime.InferenceSession, films: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([session.run(["logits"], {"image": film})[0] for film in films])
