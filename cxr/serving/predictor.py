"""A model folder, loaded and checked, that answers for films. Runs on ONNX Runtime alone."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from cxr import machine, model_folder, radiograph
from cxr.model_folder import ModelFolderError
from cxr.prevalence import DEFAULT, TRAINING, Prevalence
from cxr.radiograph import Radiograph
from cxr.serving.deadline import within
from cxr.serving.model_source import Model
from cxr.serving.screening import Screening, Verdict
from cxr_labels import LABELS, NO_FINDING

_PATIENCE = 60.0  # seconds to open a network and try it out: a file can hold one that never ends
_OUTPUTS = ("logits", "evidence", "embedding")


@dataclass(frozen=True)
class Outputs:
    """What the network says of N films.

    logits: float32 [N, 15]. evidence: float32 [N, 15, h, w]. embedding: float32 [N, D].
    """

    logits: np.ndarray
    evidence: np.ndarray
    embedding: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """The answer for one film.

    probabilities: {label: p} in the order of LABELS, at the stated prevalence.
    prevalence: that stated one.
    thresholds: {label: p} at the same prevalence; without the labels that are never flagged.
    flagged: findings at or above their threshold, in the order of LABELS. Compared at the training
        prevalence, as they were measured: the stated one never changes what is flagged.
    evidence: float32 [15, h, w], one map a label.
    verdict: of the screening, on whether this is a frontal chest film at all.
    """

    probabilities: dict[str, float]
    prevalence: Prevalence
    thresholds: dict[str, float]
    flagged: tuple[str, ...]
    evidence: np.ndarray
    verdict: Verdict

    def ranked(self) -> dict[str, float]:
        """All labels with their probabilities, most likely first."""
        return dict(sorted(self.probabilities.items(), key=lambda item: -item[1]))

    def evidence_of(self, label: str) -> np.ndarray:
        """The evidence map [h, w] of a label."""
        return self.evidence[LABELS.index(label)]


class Predictor:
    """Answers for films with the model of one folder."""

    def __init__(
        self,
        model: str | Path | Model,
        config: model_folder.Config | None = None,
        cores: int | None = None,
    ):
        """Raises ModelFolderError when the folder or its ONNX file does not fit.

        model: a folder, or what `model_source.find` found.
        config: of a folder that is still being made and has no config.json yet.
        cores: that the network runs on; all that are granted to this process when None.
        """
        self.model = model if isinstance(model, Model) else Model.at(model)
        self.folder = self.model.folder
        self.config = config or model_folder.load(self.folder)
        path, size = self.folder / model_folder.ONNX, self.config.image_size
        try:
            self._session, embedding_size = within(
                _PATIENCE, lambda: _open_session(path, size, cores or machine.cores())
            )
        except TimeoutError as error:
            raise ModelFolderError(
                f"{str(path)!r} is not open after {_PATIENCE:.0f} seconds; it is damaged, or too "
                "large for this machine."
            ) from error
        # One run takes all cores; several at once take as long, and each its own memory for good.
        self._turn = threading.Lock()
        self._screening: Screening | None = None
        if self.config.screening:
            self._screening = Screening.load(self.folder, self.config.screening, embedding_size)

    def predict(
        self, films: Sequence[Radiograph], prevalence: Prevalence = DEFAULT
    ) -> list[Prediction]:
        """Answers for films as read, in one batch, at the stated prevalence."""
        size = self.config.image_size
        pixels = np.stack([radiograph.squeeze(film, size) for film in films])[:, None]
        outputs = self.run(pixels)
        probabilities = self.config.probabilities(outputs.logits, prevalence)
        in_training = self.config.probabilities(outputs.logits, TRAINING)
        stated = dict(zip(LABELS, map(float, self.config.thresholds_at(prevalence)), strict=True))
        thresholds = {
            label: stated[label] for label in self.config.thresholds if label != NO_FINDING
        }
        verdicts = self.screen(pixels, outputs)
        return [
            Prediction(
                dict(zip(LABELS, map(float, probabilities[film]), strict=True)),
                prevalence,
                thresholds,
                _flag(in_training[film], self.config.thresholds),
                outputs.evidence[film],
                verdicts[film],
            )
            for film in range(len(films))
        ]

    def screen(self, pixels: np.ndarray, outputs: Outputs) -> list[Verdict]:
        """What the screening says of films [N, 1, S, S] and the network's outputs for them."""
        if self._screening is None:
            return [Verdict()] * len(pixels)
        return [
            self._screening.judge(film[0], embedding)
            for film, embedding in zip(pixels, outputs.embedding, strict=True)
        ]

    def run(self, films: np.ndarray) -> Outputs:
        """The network's outputs for films float32 [N, 1, S, S], 0..1, bone white."""
        with self._turn:
            return Outputs(*self._session.run(_OUTPUTS, {"image": films}))


def _flag(probabilities: np.ndarray, thresholds: dict[str, float]) -> tuple[str, ...]:
    """Both at the training prevalence. A label without a threshold is never flagged."""
    return tuple(
        label
        for label, p in zip(LABELS, probabilities, strict=True)
        if label in thresholds and label != NO_FINDING and p >= thresholds[label]
    )


def _open_session(path: Path, size: int, cores: int) -> tuple[onnxruntime.InferenceSession, int]:
    """The network, tried out, and the size D of its embedding. Raises ModelFolderError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    # Threads that are done sleep instead of spinning: half the processor time of a film, which
    # others who are answered meanwhile have a use for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
            f"{str(path)!r} does not take one grey {size}x{size} picture and give "
            f"{', '.join(_OUTPUTS)}."
        )
    return session, _try_out(session, path, size)


def _try_out(session: onnxruntime.InferenceSession, path: Path, size: int) -> int:
    """One blank film, which also warms the session up: whatever is odd shows here, not later.

    Returns the size of the embedding.
    """
    try:
        answered = session.run(_OUTPUTS, {"image": np.zeros((1, 1, size, size), "f4")})
    except Exception as error:
        raise ModelFolderError(f"{str(path)!r} fails on a blank film.") from error
    logits, evidence, embedding = answered
    answers = logits.shape == (1, len(LABELS)) and evidence.shape[:2] == (1, len(LABELS))
    if not (answers and evidence.ndim == 4 and evidence.size and np.isfinite(logits).all()):
        raise ModelFolderError(f"{str(path)!r} does not answer for the {len(LABELS)} labels.")
    if embedding.ndim != 2 or len(embedding) != 1:
        raise ModelFolderError(f"{str(path)!r} does not give one embedding a film.")
    return embedding.shape[1]
