"""The public API of the page, whose names and shapes other people's scripts rely on.

`/predict` (image -> label with all confidences), `/analyze` (image -> the JSON object of `results`),
`/predict_many` (images -> a list of those objects) and `/explain` (image, finding -> image).
docs/api.md tells how they are called. Gradio shows the docstrings of the four functions, and the
labels of their components, to everybody who asks what the page offers.
"""

from pathlib import Path
from typing import Any

import gradio as gr

import cxr.inference.prevalence
import cxr_labels
from cxr import imaging
from cxr.inference import results
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.web import temporary
from cxr.web.page import AT_ONCE, LISTS_AT_ONCE, MOST_IMAGES

_NO_IMAGE = "No image was given; choose a file."


def add(predictor: Predictor) -> None:
    """The public API, on components that the page does not show."""
    image_in = File(label="image", visible=False)
    images_in = File(label="images", file_count="multiple", visible=False)
    prevalence_in = gr.Textbox(DEFAULT, label="prevalence", visible=False)
    # Without a value, so that nobody who names no finding is shown some other's heatmap; any word
    # is let through to `explain`, whose sentence is clearer than Gradio's.
    finding_in = gr.Dropdown(
        list(cxr_labels.LABELS),
        value=None,
        allow_custom_value=True,
        label="finding",
        visible=False,
    )
    label = gr.Label(label="label", visible=False)
    found = gr.JSON(label="analysis", visible=False)
    found_many = gr.JSON(label="analyses", visible=False)
    picture = gr.Image(label="heatmap", format="png", visible=False)
    trigger = gr.Button(visible=False)

    def predict(image: str | None, prevalence: str = DEFAULT) -> dict[str, float]:
        """All 15 labels with their confidences, most likely first.

        prevalence: "nih", "training", or shares laid over NIH's, such as "Effusion=0.3"
        """
        return _analyze(predictor, image, _parse(prevalence)).ranked()

    def analyze(image: str | None, prevalence: str = DEFAULT) -> dict[str, Any]:
        """Probabilities, flagged findings and their boxes, warnings; or the reason of a rejection.

        prevalence: "nih", "training", or shares laid over NIH's, such as "Effusion=0.3"
        """
        if image is None:
            raise gr.Error(_NO_IMAGE, print_exception=False)
        return results.of_file(predictor, image, Path(image).name, _parse(prevalence))

    def predict_many(images: list[str] | None, prevalence: str = DEFAULT) -> list[dict[str, Any]]:
        """For each image, in order, what /analyze gives; a bad image is rejected in its place.

        prevalence: "nih", "training", or shares laid over NIH's, such as "Effusion=0.3"
        """
        if not images:
            raise gr.Error("No images were given; choose some files.", print_exception=False)
        if len(images) > MOST_IMAGES:
            raise gr.Error(
                f"These are {len(images)} images; send at most {MOST_IMAGES} at once.",
                print_exception=False,
            )
        stated = _parse(prevalence)
        return list(results.of_files(predictor, images, stated, lambda image: Path(image).name))

    def explain(image: str | None, finding: str | None) -> str:
        """The image with the heatmap for a finding over it: a PNG, at most 1024 px a side.

        finding: one of the 15 labels, in NIH's spelling
        """
        if not finding:
            raise gr.Error("No finding was given; name one of the labels.", print_exception=False)
        if finding not in cxr_labels.LABELS:
            raise gr.Error(
                f"There is no such finding; name one of {', '.join(cxr_labels.LABELS)}.",
                print_exception=False,
            )
        return temporary.save(_analyze(predictor, image).overlay(finding))

    trigger.click(predict, [image_in, prevalence_in], label, api_name="predict", **AT_ONCE)
    trigger.click(analyze, [image_in, prevalence_in], found, api_name="analyze", **AT_ONCE)
    trigger.click(
        predict_many,
        [images_in, prevalence_in],
        found_many,
        api_name="predict_many",
        **LISTS_AT_ONCE,
    )
    trigger.click(explain, [image_in, finding_in], picture, api_name="explain", **AT_ONCE)


class File(gr.File):
    """A file as the API describes it: in words on images, not on Gradio's classes."""

    def api_info(self) -> dict[str, Any]:
        what = "a list of image files" if self.file_count == "multiple" else "an image file"
        return super().api_info() | {
            "additional_description": f"{what}, uploaded first; in Python, handle_file(path)"
        }

    def example_payload(self) -> Any:
        """What Gradio's snippets send: a file, where Gradio itself would name an address."""
        name = "chest_xray.png"
        image = {"path": name, "url": name, "meta": {"_type": "gradio.FileData"}, "orig_name": name}
        return [image] if self.file_count == "multiple" else image


def _parse(stated: str | None) -> Prevalence:
    """The prevalence in words; what is wrong with it reaches the caller as one sentence."""
    try:
        return cxr.inference.prevalence.parse(stated or DEFAULT)
    except cxr.inference.prevalence.PrevalenceError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _analyze(
    predictor: Predictor, path: str | None, prevalence: Prevalence = DEFAULT
) -> Prediction:
    """Prediction for an image; what is wrong with it reaches the caller as one sentence."""
    if path is None:
        raise gr.Error(_NO_IMAGE, print_exception=False)
    try:
        return predictor.analyze(path, prevalence)
    except imaging.ImageError as error:
        raise gr.Error(str(error), print_exception=False) from error
