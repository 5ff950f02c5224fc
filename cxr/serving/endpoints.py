"""The public API of the page, whose names and shapes other people's scripts rely on.

`/predict` (film -> label with all confidences), `/analyze` (film -> the JSON object of `analysis`)
and `/explain` (film, finding -> picture).
"""

from pathlib import Path
from typing import Any

import cxr.serving.quick_start  # isort: skip
import gradio as gr
import numpy as np

import cxr.prevalence
import cxr_labels
from cxr import radiograph
from cxr.prevalence import DEFAULT, Prevalence
from cxr.serving import analysis
from cxr.serving.analysis import Analysis
from cxr.serving.predictor import Predictor

_NO_FILM = "No film was given; choose a file."


def add(predictor: Predictor) -> None:
    """The public API, on components that the page does not show."""
    film_in = gr.File(label="film", visible=False)
    prevalence_in = gr.Textbox(DEFAULT, label="prevalence", visible=False)
    finding_in = gr.Dropdown(list(cxr_labels.LABELS), label="finding", visible=False)
    label = gr.Label(label="label", visible=False)
    found = gr.JSON(label="analysis", visible=False)
    picture = gr.Image(label="evidence", format="png", visible=False)
    trigger = gr.Button(visible=False)

    def predict(film: str | None, prevalence: str = DEFAULT) -> dict[str, float]:
        """All 15 labels with their confidences, most likely first.

        prevalence: "nih", "training", or shares laid over NIH's, such as "Effusion=0.3".
        """
        return _analyze(predictor, film, _parse(prevalence)).prediction.ranked()

    def analyze(film: str | None, prevalence: str = DEFAULT) -> dict[str, Any]:
        """Probabilities, flagged findings and their boxes, warnings; or the reason of a refusal.

        prevalence: "nih", "training", or shares laid over NIH's, such as "Effusion=0.3".
        """
        if film is None:
            raise gr.Error(_NO_FILM, print_exception=False)
        return analysis.answer_file(predictor, film, Path(film).name, _parse(prevalence))

    def explain(film: str | None, finding: str | None) -> np.ndarray:
        """The film with the evidence for a finding over it."""
        if finding is None:
            raise gr.Error("No finding was given; name one of the labels.", print_exception=False)
        return _analyze(predictor, film).overlay_of(finding)

    trigger.click(predict, [film_in, prevalence_in], label, api_name="predict")
    trigger.click(analyze, [film_in, prevalence_in], found, api_name="analyze")
    trigger.click(explain, [film_in, finding_in], picture, api_name="explain")


def _parse(stated: str | None) -> Prevalence:
    """The prevalence in words; what is wrong with it reaches the caller as one sentence."""
    try:
        return cxr.prevalence.parse(stated or DEFAULT)
    except cxr.prevalence.PrevalenceError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _analyze(predictor: Predictor, path: str | None, prevalence: Prevalence = DEFAULT) -> Analysis:
    """Analysis of a film; what is wrong with it reaches the caller as one sentence."""
    if path is None:
        raise gr.Error(_NO_FILM, print_exception=False)
    try:
        return analysis.analyze(predictor, path, prevalence)
    except radiograph.RadiographError as error:
        raise gr.Error(str(error), print_exception=False) from error
