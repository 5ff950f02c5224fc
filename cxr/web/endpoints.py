"""The public API of the page. Scripts rely on its names and forms; docs/api.md describes them.

Gradio shows the docstrings of the four functions, and the labels of their components, to everybody
who opens the page's API documentation.
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
from cxr.web.limits import LIST, MAX_IMAGES, ONE_IMAGE

_NO_IMAGE = "No image was given; choose a file."


def add(predictor: Predictor) -> None:
    """Adds the public API to the page that is being built, on components that it does not show."""
    one = File(label="image", visible=False)
    many = File(label="images", file_count="multiple", visible=False)
    stated = gr.Textbox(DEFAULT, label="prevalence", visible=False)
    # No default: a caller who names no finding should not get the heatmap of another.
    # Any word is accepted: the message of `explain` is clearer than Gradio's.
    named = gr.Dropdown(
        list(cxr_labels.LABELS),
        value=None,
        allow_custom_value=True,
        label="finding",
        visible=False,
    )
    label = gr.Label(label="label", visible=False)
    result = gr.JSON(label="analysis", visible=False)
    result_list = gr.JSON(label="analyses", visible=False)
    overlay = gr.Image(label="heatmap", format="png", visible=False)
    trigger = gr.Button(visible=False)

    def predict_image(image: str | None, prevalence: str = DEFAULT) -> dict[str, float]:
        """All 15 labels with their probabilities, most likely first.

        prevalence: "nih", "training", or shares that replace NIH's, such as "Effusion=0.3"
        """
        return _analyze(predictor, image, _parse(prevalence)).ranked()

    def analyze_image(image: str | None, prevalence: str = DEFAULT) -> dict[str, Any]:
        """Probabilities, flagged findings and their boxes, warnings; or the reason of a rejection.

        prevalence: "nih", "training", or shares that replace NIH's, such as "Effusion=0.3"
        """
        if image is None:
            raise gr.Error(_NO_IMAGE, print_exception=False)
        return results.of_file(predictor, image, Path(image).name, _parse(prevalence))

    def predict_many(images: list[str] | None, prevalence: str = DEFAULT) -> list[dict[str, Any]]:
        """For each image, in order, what /analyze returns; a bad image is rejected in its place.

        prevalence: "nih", "training", or shares that replace NIH's, such as "Effusion=0.3"
        """
        if not images:
            raise gr.Error("No images were given; choose some files.", print_exception=False)
        if len(images) > MAX_IMAGES:
            raise gr.Error(
                f"These are {len(images)} images; send at most {MAX_IMAGES} at once.",
                print_exception=False,
            )
        parsed = _parse(prevalence)
        return list(results.of_files(predictor, images, parsed, lambda path: Path(path).name))

    def explain(image: str | None, finding: str | None) -> str:
        """The image with the heatmap for a finding over it: a PNG, at most 1024 px a side.

        finding: one of the 15 labels, in any spelling that the prevalence accepts
        """
        if not finding:
            raise gr.Error("No finding was given; name one of the labels.", print_exception=False)
        found = cxr_labels.find_label(finding) if isinstance(finding, str) else None
        if found is None:
            raise gr.Error(
                f"There is no such finding; name one of {', '.join(cxr_labels.LABELS)}.",
                print_exception=False,
            )
        return temporary.save(_analyze(predictor, image).overlay(found))

    trigger.click(predict_image, [one, stated], label, api_name="predict", **ONE_IMAGE)
    trigger.click(analyze_image, [one, stated], result, api_name="analyze", **ONE_IMAGE)
    trigger.click(predict_many, [many, stated], result_list, api_name="predict_many", **LIST)
    trigger.click(explain, [one, named], overlay, api_name="explain", **ONE_IMAGE)


class File(gr.File):
    """A file component whose API description speaks of images, not of Gradio's classes."""

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


def _parse(text: str | None) -> Prevalence:
    """Reads a prevalence. Raises gr.Error with a message for the caller."""
    try:
        return cxr.inference.prevalence.parse(text or DEFAULT)
    except cxr.inference.prevalence.PrevalenceError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _analyze(
    predictor: Predictor, path: str | None, prevalence: Prevalence = DEFAULT
) -> Prediction:
    """Predicts for an image file. Raises gr.Error with a message for the caller."""
    if path is None:
        raise gr.Error(_NO_IMAGE, print_exception=False)
    try:
        return predictor.analyze(path, prevalence)
    except imaging.ImageError as error:
        raise gr.Error(str(error), print_exception=False) from error
