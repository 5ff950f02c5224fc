"""Buttons that download the result for the image on the page: JSON, CSV, the heatmap, a report.

A file goes to the browser as the response to the click, and the browser saves it. It never lies on
the server, where Gradio would keep it for a while at an address of its own.
"""

import base64
from collections.abc import Callable
from pathlib import Path

import gradio as gr

import cxr.inference.prevalence
from cxr import imaging
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT
from cxr.web import downloads, report
from cxr.web.downloads import Download
from cxr.web.limits import ONE_IMAGE
from cxr.web.page import saving, texts
from cxr.web.page.batch_words import DOWNLOAD
from cxr.web.recent import RecentPredictions
from cxr_labels import FINDINGS

_FORMS = ("report", "overlay", "csv", "json")

# What is given to an event's function, with the language that the page is in.
_IN_LANGUAGE = (
    "(image, prevalence, finding) => [image, prevalence, finding, document.documentElement.lang]"
)


def add(
    predictor: Predictor,
    recent: RecentPredictions,
    image: gr.File,
    prevalence: gr.components.Component,
    finding: gr.components.Component,
) -> None:
    """Adds the buttons to the page that is being built.

    prevalence, finding: the components whose values are the stated prevalence and the finding whose
    heatmap is shown.
    """
    gr.HTML(f"<h2>{DOWNLOAD.html}</h2>", apply_default_css=False, elem_id="downloads-title")
    with gr.Row(elem_id="downloads"):
        buttons = {
            form: gr.Button(
                texts.marker(f"download_{form}"),
                size="sm",
                min_width=120,
                elem_id=f"download-{form}",
            )
            for form in _FORMS
        }
    given = [image, prevalence, finding, gr.Textbox(visible=False)]
    packed = gr.JSON(visible=False)
    for form, button in buttons.items():
        done = button.click(
            _maker(predictor, recent, form),
            given,
            packed,
            js=_IN_LANGUAGE,
            api_visibility="private",
            show_progress="hidden",
            **ONE_IMAGE,
        )
        saved = done.success(None, packed, None, js=saving.FILE, api_visibility="private")
        # Gradio remembers what a visitor was last given; a file may be large.
        saved.then(
            _nothing, None, packed, api_visibility="private", show_progress="hidden", queue=False
        )


def _maker(predictor: Predictor, recent: RecentPredictions, form: str) -> Callable:
    """Image, prevalence, finding and language on the page -> a file for the browser."""

    def make(path: str | None, stated: str, finding: str, language: str) -> dict[str, str]:
        if path is None:
            raise gr.Error("Choose an image first.", print_exception=False)
        try:
            prevalence = cxr.inference.prevalence.parse(stated or DEFAULT)
            prediction = recent.analyze(path, prevalence)
        except (cxr.inference.prevalence.PrevalenceError, imaging.ImageError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return _packed(_make(predictor, form, Path(path).name, prediction, finding, language))

    return make


def _make(
    predictor: Predictor, form: str, name: str, prediction: Prediction, finding: str, language: str
) -> Download:
    match form:
        case "report":
            return downloads.as_report(predictor, name, prediction, language)
        case "csv":
            return downloads.as_csv(predictor, name, prediction)
        case "json":
            return downloads.as_json(predictor, name, prediction)
    # Where the image is shown alone, the likeliest finding.
    chosen = finding if finding in FINDINGS else report.shown(prediction)[0]
    return downloads.as_overlay(name, prediction, chosen)


def _packed(file: Download) -> dict[str, str]:
    content = base64.b64encode(file.content).decode("ascii")
    return {"name": file.name, "kind": file.mime, "content": content}


def _nothing() -> None:
    return None
