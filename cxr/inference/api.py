"""The Python API: `import cxr` exports it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cxr.imaging import ImageError, Source
from cxr.inference import prevalence as prevalences
from cxr.inference.many import map_in_order
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.model import resolve


class Model:
    """A model that predicts findings on chest X-rays. Make one with `cxr.load`.

    A model may be used from several threads.

    Attributes:
        name: The name of the folder, or OWNER/NAME on the Hub.
        revision: The commit on the Hub; None for a folder on this machine.
        labels: The labels, in the order of all arrays.
    """

    def __init__(self, predictor: Predictor):
        self._predictor = predictor
        self.name: str = predictor.model.name
        self.revision: str | None = predictor.model.revision
        self.labels: tuple[str, ...] = tuple(predictor.config.labels)

    def __repr__(self) -> str:
        return f"<cxr.Model {self._predictor.model}>"

    def predict(self, source: Source, prevalence: Prevalence = DEFAULT) -> Prediction:
        """Predicts the findings on one image.

        Args:
            source: A path, the bytes of a file, an open binary file, a Pillow image, or an array of
                uint8 or uint16 [height, width].
            prevalence: The assumed share of images with each finding: "nih", "training",
                "Effusion=0.3, Mass=0.1", or {"Effusion": 0.3, "Mass": 0.1}.

        Raises:
            ImageError: The image cannot be read, or does not look like a frontal chest X-ray
                (code "not_a_chest_xray").
            PrevalenceError: The prevalence is not understood.
        """
        return self._predictor.analyze(source, prevalences.parse(prevalence))

    def predict_many(
        self, sources: Iterable[Source], prevalence: Prevalence = DEFAULT
    ) -> Iterator[Prediction | ImageError]:
        """Predicts the findings on many images, on all cores and in constant memory.

        Args:
            sources: As for `predict`. They are read as the work proceeds.
            prevalence: As for `predict`.

        Returns:
            For each source, in order, its prediction, or the ImageError that `predict` would raise:
            one bad file does not end the work.

        Raises:
            PrevalenceError: The prevalence is not understood.
        """
        stated = prevalences.parse(prevalence)

        def predict(source: Source) -> Prediction | ImageError:
            try:
                return self._predictor.analyze(source, stated)
            except ImageError as error:
                return error

        return map_in_order(predict, sources)


def load(name: str | Path) -> Model:
    """Loads a model.

    Args:
        name: A model folder, or OWNER/NAME or OWNER/NAME@COMMIT on the Hugging Face Hub. A name on
            the Hub is downloaded once into the Hub's cache.

    Raises:
        ModelFolderError: The folder is not a model folder that this version can use.
        HubError: The model cannot be downloaded.
    """
    return Model(Predictor(resolve.find(str(name))))
