"""The predictions for the newest images. With them, an image is not decoded and does not go through
the network again when the prevalence changes or a result is downloaded."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import Prevalence

MAX_PREDICTIONS = 48
MAX_BYTES = 200_000_000  # the newest prediction is kept even if it alone has more


class RecentPredictions:
    """The predictions for the images that were used last, by the paths of their files.

    A prediction takes a byte per pixel: 1 MB for an NIH image, 5 to 15 MB for a typical DICOM file.
    """

    def __init__(
        self, predictor: Predictor, seconds: float, clock: Callable[[], float] = time.monotonic
    ):
        """Begins without any prediction.

        Args:
            predictor: The model.
            seconds: The age at which `drop_old` drops a prediction.
            clock: Returns the time in seconds.
        """
        self._predictor, self._seconds, self._clock = predictor, seconds, clock
        self._kept: OrderedDict[str, tuple[float, Prediction]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The number of predictions that are kept."""
        return len(self._kept)

    def analyze(self, path: str, prevalence: Prevalence) -> Prediction:
        """The prediction for an image file, which is read only if its prediction is not kept.

        Args:
            path: An uploaded file. Gradio puts the checksum of its content into the path.
            prevalence: The prevalence to state probabilities at.

        Raises:
            ImageError: The image cannot be read, or the input check rejects it.
        """
        self.drop_old()
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path][1].at(prevalence)
        prediction = self._predictor.analyze(path, prevalence)
        with self._lock:
            self._kept[path] = (self._clock(), prediction)
            self._make_room()
        return prediction

    def drop_old(self) -> None:
        """Drops the predictions that have reached the age limit."""
        limit = self._clock() - self._seconds
        with self._lock:
            for path in [path for path, (made, _) in self._kept.items() if made <= limit]:
                del self._kept[path]

    def _make_room(self) -> None:
        """Drops the predictions that were used least recently until the rest fits the limits."""
        while len(self._kept) > 1 and (
            len(self._kept) > MAX_PREDICTIONS or self._bytes() > MAX_BYTES
        ):
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(
            prediction.image.grey.nbytes + prediction.heatmaps.nbytes
            for _, prediction in self._kept.values()
        )
