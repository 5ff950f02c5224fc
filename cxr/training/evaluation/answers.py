"""What a model answers for many films; decoding and network overlap, memory stays flat."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from cxr import machine, radiograph
from cxr.radiograph import Radiograph, RadiographError
from cxr.serving.predictor import Predictor
from cxr.serving.screening import Verdict
from cxr.training.nih import FilmReader

_BATCH = 16  # films at once through the network
_AHEAD = 3  # batches that are decoded while the network works


@dataclass(frozen=True)
class Answers:
    """What the model says of n films.

    readable: bool, one a film that was asked for. The others count the readable ones alone:
    logits: float32 [n, 15]. evidence: {row: float32 [15, h, w]} of the rows that were asked for.
    verdicts: of the screening, one a film.
    """

    readable: np.ndarray
    logits: np.ndarray
    evidence: dict[int, np.ndarray]
    verdicts: list[Verdict]


def reader(films: FilmReader, names: Sequence[str]) -> Callable[[int], Radiograph | None]:
    """Row -> film as read from its file; None where it cannot be read."""

    def read(row: int) -> Radiograph | None:
        try:
            return radiograph.read(films.read(names[row]))
        except (RadiographError, OSError):
            return None

    return read


def collect(
    predictor: Predictor,
    read: Callable[[int], Radiograph | None],
    rows: Sequence[int] | np.ndarray,
    keep: Collection[int] = (),
    title: str = "Measuring",
) -> Answers:
    """Answers for the films at `rows`, with a progress bar; evidence maps of the rows in `keep`.

    read: row -> film, None where it cannot be read; called from several threads.
    """
    readable = np.zeros(len(rows), bool)
    logits: list[np.ndarray] = []
    evidence: dict[int, np.ndarray] = {}
    verdicts: list[Verdict] = []
    with tqdm(total=len(rows), desc=title, unit="film") as bar:
        for places, films, pixels in _batches(read, rows, predictor.config.image_size):
            bar.update(len(places))
            there = [k for k, film in zip(places, films, strict=True) if film is not None]
            readable[there] = True
            if not there:
                continue
            outputs = predictor.run(pixels)
            logits.append(outputs.logits)
            verdicts += predictor.screen(pixels, outputs)
            for k, maps in zip(there, outputs.evidence, strict=True):
                if int(rows[k]) in keep:
                    evidence[int(rows[k])] = maps
    found = np.concatenate(logits) if logits else np.zeros((0, len(predictor.config.labels)), "f4")
    return Answers(readable, found, evidence, verdicts)


def pictures(
    predictor: Predictor, read: Callable[[int], Radiograph | None], rows: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """{row: (pixels float32 [S, S], evidence maps float32 [15, h, w])} of a few readable films."""
    found = {}
    for places, _, pixels in _batches(read, rows, predictor.config.image_size):
        outputs = predictor.run(pixels)
        for k, film, maps in zip(places, pixels, outputs.evidence, strict=True):
            found[rows[k]] = film[0], maps
    return found


def _batches(
    read: Callable[[int], Radiograph | None], rows: Sequence[int] | np.ndarray, size: int
) -> Iterator[tuple[range, list[Radiograph | None], np.ndarray]]:
    """Places in `rows`, the films there, and the readable ones' pixels float32 [n, 1, S, S]."""

    def load(row: int) -> tuple[Radiograph | None, np.ndarray | None]:
        film = read(row)
        return film, None if film is None else radiograph.squeeze(film, size)

    # Pillow decodes and resizes without Python's lock, so that threads keep the cores busy.
    with ThreadPoolExecutor(machine.cores()) as pool:
        waiting: deque[tuple[range, list[Future]]] = deque()
        for start in range(0, len(rows), _BATCH):
            places = range(start, min(start + _BATCH, len(rows)))
            waiting.append((places, [pool.submit(load, int(rows[k])) for k in places]))
            if len(waiting) > _AHEAD:
                yield _gathered(*waiting.popleft())
        while waiting:
            yield _gathered(*waiting.popleft())


def _gathered(
    places: range, tasks: list[Future]
) -> tuple[range, list[Radiograph | None], np.ndarray]:
    done = [task.result() for task in tasks]
    pixels = [squeezed for _, squeezed in done if squeezed is not None]
    return places, [film for film, _ in done], np.stack(pixels)[:, None] if pixels else np.empty(0)
