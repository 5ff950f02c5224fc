"""What a model answers for many images; decoding and network overlap, memory stays flat."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from cxr import imaging, machine
from cxr.datasets.nih import ImageReader
from cxr.imaging import GreyImage, ImageError
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor

_BATCH = 16  # images at once through the network
_AHEAD = 3  # batches that are decoded while the network works


@dataclass(frozen=True)
class Answers:
    """What the model says of n images.

    readable: bool, one an image that was asked for. The others count the readable ones alone:
    logits: float32 [n, 15]. heatmap: {row: float32 [15, h, w]} of the rows that were asked for.
    verdicts: of the input check, one an image.
    """

    readable: np.ndarray
    logits: np.ndarray
    heatmap: dict[int, np.ndarray]
    verdicts: list[Verdict]


def reader(images: ImageReader, names: Sequence[str]) -> Callable[[int], GreyImage | None]:
    """Row -> image as read from its file; None where it cannot be read."""

    def read(row: int) -> GreyImage | None:
        try:
            return imaging.read_image(images.read(names[row]))
        except (ImageError, OSError):
            return None

    return read


def collect(
    predictor: Predictor,
    read: Callable[[int], GreyImage | None],
    rows: Sequence[int] | np.ndarray,
    keep: Collection[int] = (),
    title: str = "Measuring",
) -> Answers:
    """Answers for the images at `rows`, with a progress bar; heatmaps of the rows in `keep`.

    read: row -> image, None where it cannot be read; called from several threads.
    """
    readable = np.zeros(len(rows), bool)
    logits: list[np.ndarray] = []
    heatmap: dict[int, np.ndarray] = {}
    verdicts: list[Verdict] = []
    with tqdm(total=len(rows), desc=title, unit="image") as bar:
        for places, images, pixels in _batches(read, rows, predictor.config.image_size):
            bar.update(len(places))
            there = [k for k, image in zip(places, images, strict=True) if image is not None]
            readable[there] = True
            if not there:
                continue
            outputs = predictor.run(pixels)
            logits.append(outputs.logits)
            verdicts += predictor.screen(pixels, outputs)
            for k, maps in zip(there, outputs.heatmap, strict=True):
                if int(rows[k]) in keep:
                    heatmap[int(rows[k])] = maps
    found = np.concatenate(logits) if logits else np.zeros((0, len(predictor.config.labels)), "f4")
    return Answers(readable, found, heatmap, verdicts)


def pictures(
    predictor: Predictor, read: Callable[[int], GreyImage | None], rows: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """{row: (pixels float32 [S, S], heatmaps float32 [15, h, w])} of a few readable images."""
    found = {}
    for places, _, pixels in _batches(read, rows, predictor.config.image_size):
        outputs = predictor.run(pixels)
        for k, image, maps in zip(places, pixels, outputs.heatmap, strict=True):
            found[rows[k]] = image[0], maps
    return found


def _batches(
    read: Callable[[int], GreyImage | None], rows: Sequence[int] | np.ndarray, size: int
) -> Iterator[tuple[range, list[GreyImage | None], np.ndarray]]:
    """Places in `rows`, the images there, and the readable ones' pixels float32 [n, 1, S, S]."""

    def load(row: int) -> tuple[GreyImage | None, np.ndarray | None]:
        image = read(row)
        return image, None if image is None else imaging.resize(image, size)

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
) -> tuple[range, list[GreyImage | None], np.ndarray]:
    done = [task.result() for task in tasks]
    pixels = [squeezed for _, squeezed in done if squeezed is not None]
    return (
        places,
        [image for image, _ in done],
        np.stack(pixels)[:, None] if pixels else np.empty(0),
    )
