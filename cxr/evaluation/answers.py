"""What a model answers for many images; decoding and network overlap, memory stays flat."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from cxr import imaging
from cxr.datasets.nih import ImageReader
from cxr.imaging import GreyImage, ImageError
from cxr.inference.input_check import Verdict
from cxr.inference.many import map_in_order
from cxr.inference.predictor import Predictor
from cxr.inference.sessions import Outputs


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

    def run(row: int) -> tuple[np.ndarray, np.ndarray | None, Verdict] | None:
        found = _run(predictor, read, row)
        if found is None:
            return None
        pixels, outputs = found
        kept = outputs.heatmaps[0] if row in keep else None
        return outputs.logits[0], kept, predictor.check(pixels, outputs)[0]

    places = [int(row) for row in rows]
    found = list(tqdm(map_in_order(run, places), desc=title, total=len(places), unit="image"))
    readable = [each for each in found if each is not None]
    return Answers(
        np.array([each is not None for each in found], bool),
        np.array([logits for logits, _, _ in readable]).reshape(-1, len(predictor.config.labels)),
        {
            row: each[1]
            for row, each in zip(places, found, strict=True)
            if each is not None and each[1] is not None
        },
        [verdict for _, _, verdict in readable],
    )


def pictures(
    predictor: Predictor, read: Callable[[int], GreyImage | None], rows: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """{row: (pixels uint8 [S, S], heatmaps float32 [15, h, w])} of a few readable images."""
    found = map_in_order(lambda row: _run(predictor, read, row), rows)
    return {
        row: (np.rint(255 * each[0][0, 0]).astype(np.uint8), each[1].heatmaps[0])
        for row, each in zip(rows, found, strict=True)
        if each is not None
    }


def _run(
    predictor: Predictor, read: Callable[[int], GreyImage | None], row: int
) -> tuple[np.ndarray, Outputs] | None:
    """The network's input [1, 1, S, S] and outputs for one image; None where it is unreadable."""
    with predictor.slot():
        image = read(row)
        if image is None:
            return None
        pixels = imaging.resize(image, predictor.config.image_size)[None, None]
        return pixels, predictor.run(pixels)
