"""What a model predicts for many images."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from cxr import imaging
from cxr.datasets.files import ImageReader
from cxr.imaging import GreyImage, ImageError
from cxr.inference.input_check import Verdict
from cxr.inference.many import map_in_order
from cxr.inference.predictor import Predictor
from cxr.inference.sessions import Outputs

ReadRow = Callable[[int], GreyImage | None]  # row -> image; None where it cannot be read


@dataclass(frozen=True)
class Predictions:
    """What the model predicts for n readable images.

    Attributes:
        readable: Which of the requested images can be read, bool.
        logits: float32 [n, 15].
        heatmaps: {row: float32 [15, h, w]} of the rows for which they were requested.
        verdicts: Of the input check, one per readable image.
    """

    readable: np.ndarray
    logits: np.ndarray
    heatmaps: dict[int, np.ndarray]
    verdicts: list[Verdict]


def reader(images: ImageReader, names: Sequence[str]) -> ReadRow:
    """Reads images by their row in the table of a data set."""

    def read(row: int) -> GreyImage | None:
        try:
            return imaging.read_image(images.read(names[row]))
        except (ImageError, OSError):
            return None

    return read


def collect(
    predictor: Predictor,
    read: ReadRow,
    rows: Sequence[int] | np.ndarray,
    keep: Collection[int] = (),
    title: str = "Measuring",
) -> Predictions:
    """Predicts for the images at `rows`, with a progress bar.

    Args:
        predictor: The model.
        read: Called from several threads.
        rows: Rows of the data set's table.
        keep: The rows whose heatmaps are kept.
        title: Of the progress bar.
    """

    def predict(row: int) -> tuple[np.ndarray, np.ndarray | None, Verdict] | None:
        found = _predict(predictor, read, row)
        if found is None:
            return None
        pixels, outputs = found
        heatmaps = outputs.heatmaps[0] if row in keep else None
        return outputs.logits[0], heatmaps, predictor.check(pixels, outputs)[0]

    rows = [int(row) for row in rows]
    bar = tqdm(map_in_order(predict, rows), title, len(rows), unit="image")
    predicted = list(bar)
    readable = [(row, one) for row, one in zip(rows, predicted, strict=True) if one is not None]
    return Predictions(
        np.array([one is not None for one in predicted], bool),
        np.array([one[0] for _, one in readable], np.float32).reshape(
            -1, len(predictor.config.labels)
        ),
        {row: one[1] for row, one in readable if one[1] is not None},
        [one[2] for _, one in readable],
    )


def pixels_and_heatmaps(
    predictor: Predictor, read: ReadRow, rows: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """{row: (pixels uint8 [S, S], heatmaps float32 [15, h, w])} of a few readable images."""
    found = map_in_order(lambda row: _predict(predictor, read, row), rows)
    return {
        row: (np.rint(255 * one[0][0, 0]).astype(np.uint8), one[1].heatmaps[0])
        for row, one in zip(rows, found, strict=True)
        if one is not None
    }


def _predict(predictor: Predictor, read: ReadRow, row: int) -> tuple[np.ndarray, Outputs] | None:
    """The network's input [1, 1, S, S] and its outputs; None where the image is unreadable."""
    with predictor.slot():
        image = read(row)
        if image is None:
            return None
        pixels = imaging.resize(image, predictor.config.image_size)[None, None]
        return pixels, predictor.run(pixels)
