"""The web page and its API: `build` puts a model behind a Gradio page."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import cxr_labels
from cxr import model_folder, radiograph
from cxr.serving import analysis, heatmap
from cxr.serving.analysis import Analysis
from cxr.serving.predictor import Predictor
from cxr_labels import DISPLAY, FINDINGS

TOP = 5  # findings that the page lists in large
MAX_FILE_SIZE = "50mb"
UPLOAD_LIFETIME = 3600  # seconds that uploads and pictures made from them are kept
_REPOSITORY = Path(__file__).parents[2]

# The page's own look is handed to launch(): Gradio 6 takes it there.
THEME = gr.themes.Soft(primary_hue="teal", neutral_hue="slate")
CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#film-picture img, #evidence-picture img { object-fit: contain; }
#disclaimer { border-left: 4px solid var(--color-accent); padding-left: 12px; }
#problem { border: 1px solid var(--error-border-color, #b91c1c); border-radius: 8px;
  padding: 8px 14px; }
"""
HEAD = '<meta name="robots" content="noai, noimageai">'


@dataclass(frozen=True)
class ExampleFilm:
    """A film offered on the page: its file, true labels ("" if unknown) and source."""

    path: Path
    labels: str
    source: str

    @property
    def caption(self) -> str:
        known = f"labelled {self.labels.replace('|', ', ')}" if self.labels else "no labels known"
        return f"{self.path.stem.replace('_', ' ')} ({known})"


def build(predictor: Predictor) -> gr.Blocks:
    """The page for a model; `demo.launch(**LAUNCH)` serves it."""
    examples = _examples(predictor.folder)
    with gr.Blocks(
        title="Findings on a chest film",
        analytics_enabled=False,
        delete_cache=(UPLOAD_LIFETIME // 2, UPLOAD_LIFETIME),
    ) as demo:
        gr.Markdown(_introduction(predictor))
        shown = gr.State(None)  # the Analysis of the film on the page
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=300):
                film = gr.File(
                    label="Chest film: PNG, JPEG, TIFF, WebP or BMP, up to 50 MB", height=140
                )
                picture = gr.Image(
                    label="The film as read",
                    interactive=False,
                    format="png",
                    image_mode="L",
                    buttons=["fullscreen"],
                    elem_id="film-picture",
                    alt_text="The chest film that was uploaded",
                )
                gallery = _gallery(examples)
            with gr.Column(scale=1, min_width=300):
                problem = gr.Markdown(visible=False, elem_id="problem")
                label = gr.Label(label="Most likely findings", elem_id="findings")
                threshold = gr.Slider(
                    0,
                    100,
                    value=0,
                    step=1,
                    label="List only findings with a score of at least (%)",
                    elem_id="threshold",
                )
                table = gr.Dataframe(
                    label="All findings, most likely first",
                    headers=["finding", "score", "above its threshold", "what it is"],
                    column_widths=["24%", "12%", "16%", "48%"],
                    interactive=False,
                    wrap=True,
                    elem_id="table",
                )
                choice = gr.Dropdown(
                    choices=[(DISPLAY[name], name) for name in FINDINGS],
                    value=FINDINGS[0],
                    label="Show the evidence for",
                    visible=False,
                    elem_id="choice",
                )
                evidence = gr.Image(
                    label="Where the evidence lies",
                    interactive=False,
                    format="png",
                    buttons=["fullscreen", "download"],
                    visible=False,
                    elem_id="evidence-picture",
                    alt_text="The film with the evidence for the chosen finding over it",
                )
        gr.Markdown(analysis.DISCLAIMER, elem_id="disclaimer")

        answers = [shown, picture, problem, label, table, choice, evidence]
        film.change(
            lambda path, least: _show(predictor, path, least),
            [film, threshold],
            answers,
            api_visibility="private",
        )
        threshold.change(
            _list, [shown, threshold], [label, table], api_visibility="private", show_progress="hidden"
        )
        choice.input(_evidence, [shown, choice], evidence, api_visibility="private")
        if gallery is not None:
            gallery.select(lambda event: None, None, None) if False else None
            gallery.select(_chosen_example(examples), None, film, api_visibility="private")
        _endpoints(predictor)
    demo.queue(max_size=64, api_open=True)
    return demo
