"""The tab for one film: a film in, its findings, where the evidence lies, and all scores."""

from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

import cxr.prevalence
import cxr_labels
from cxr import radiograph
from cxr.prevalence import DEFAULT, NIH, TRAINING, Prevalence
from cxr.serving import analysis, heatmap
from cxr.serving.analysis import Analysis
from cxr.serving.examples import ExampleFilm
from cxr.serving.page import KEPT, take_away, texts
from cxr.serving.page.texts import plain
from cxr.serving.predictor import Prediction, Predictor
from cxr_labels import DISPLAY, FINDINGS, NO_FINDING

TOP = 5  # labels that the page shows in large
_THUMBNAIL = 320  # px


def add(predictor: Predictor, offered: list[ExampleFilm]) -> None:
    """Adds the tab's content to the page that is being built."""
    # Small, for there is one a visitor: the film itself is read again where it is needed.
    shown = gr.State(None, time_to_live=KEPT)  # the Prediction for the film on the page
    with gr.Row():
        with gr.Column(min_width=280):
            film = gr.File(label=texts.marker("film"), height=150, elem_id="film")
            gr.Markdown("PNG, JPEG, TIFF, WebP or BMP, 8 or 16 bit, up to 50 MB.")
            gallery = _gallery(offered)
            if offered:
                with gr.Accordion("Where the examples come from", open=False):
                    gr.Markdown(_sources(offered))
            picture = gr.Image(
                show_label=False,
                format="png",
                image_mode="L",
                interactive=False,
                visible=False,
                buttons=["fullscreen"],
                elem_id="film-picture",
                alt_text="The chest film as read",
            )
        with gr.Column(min_width=280):
            problem = gr.Markdown(visible=False, elem_id="problem")
            empty = gr.Markdown(_EMPTY)
            with gr.Column(visible=False) as answer:
                label = gr.Label(label="Most likely", elem_id="label", show_heading=False)
                prevalence = gr.Dropdown(
                    [("NIH's 112,120 films", NIH), ("the model's training films", TRAINING)],
                    value=DEFAULT,
                    allow_custom_value=True,
                    label="State the scores at the prevalence of",
                    info="or your own shares, such as Effusion=0.3, Mass=0.1",
                    elem_id="prevalence",
                )
                meaning = gr.Markdown(elem_id="meaning")
                choice = gr.Dropdown(
                    [(DISPLAY[name], name) for name in FINDINGS],
                    label="Show where the evidence lies for",
                    elem_id="choice",
                )
                evidence = gr.Image(
                    show_label=False,
                    format="png",
                    interactive=False,
                    buttons=["fullscreen", "download"],
                    elem_id="evidence-picture",
                    alt_text="The film with the evidence for the chosen finding in orange",
                )
                gr.Markdown(_LEGEND)
                threshold = gr.Slider(
                    0, 100, 0, step=1, label="List scores of at least (%)", elem_id="threshold"
                )
                table = gr.HTML(elem_id="table")
                take_away.add(predictor, film, prevalence, choice)
    film.change(
        _shower(predictor),
        [film, threshold, prevalence],
        [
            shown,
            problem,
            empty,
            picture,
            answer,
            label,
            table,
            meaning,
            choice,
            evidence,
            prevalence,
        ],
        api_visibility="private",
    )
    prevalence.input(
        _restater(predictor),
        [film, threshold, prevalence, shown],
        [shown, problem, label, table, meaning, prevalence],
        api_visibility="private",
        show_progress="hidden",
    )
    threshold.change(
        _list,
        [shown, threshold],
        [label, table],
        api_visibility="private",
        show_progress="hidden",
    )
    choice.input(_explainer(predictor), [film, choice], evidence, api_visibility="private")
    if gallery is not None:
        gallery.select(_chooser(offered), None, film, api_visibility="private")


_EMPTY = "Choose a film, or one of the examples, to see its findings here."
_MEANING = (
    "Each score is the model's estimate that the finding would be in the film's report, if films "
    "came in the mix of {}. What reaches its threshold is the same at every prevalence."
)
_MIXES = {NIH: "NIH's 112,120", TRAINING: "those that the model was trained on"}


_LEGEND = (
    "The brighter the orange, the more that place spoke for the finding, compared with the rest of "
    "this film; the box frames its peak."
)


def _shower(predictor: Predictor) -> Callable:
    """Film on the page -> everything that the page shows of it."""

    def show(path: str | None, least: float, stated: str):
        prevalence, wrong = _understand(stated, DEFAULT)
        box = _box(prevalence, wrong)
        if path is None:
            return *_page(), box
        try:
            return *_page(analysis.analyze(predictor, path, prevalence), least, wrong), box
        except analysis.NotAChestFilm as error:
            return *_page(problem=f"**No scores for this picture.** {error}"), box
        except radiograph.RadiographError as error:
            return *_page(problem=f"**This film could not be read.** {error}"), box

    return show


def _restater(predictor: Predictor) -> Callable:
    """Film and prevalence on the page -> the same film's scores at that prevalence.

    What is no prevalence leaves the scores at the one they are stated at.
    """

    def restate(path: str | None, least: float, stated: str, shown: Prediction | None):
        if path is None:
            return [gr.skip()] * 6
        prevalence, wrong = _understand(stated, shown.prevalence if shown else DEFAULT)
        analyzed = analysis.analyze(predictor, path, prevalence)
        label, table = _list(analyzed.prediction, least)
        return (
            analyzed.prediction,
            _problem(analyzed, wrong),
            label,
            table,
            _meaning(analyzed),
            _box(prevalence, wrong),
        )

    return restate


def _understand(stated: str | None, otherwise: Prevalence) -> tuple[Prevalence, str]:
    """The prevalence in words; or the other one, and a sentence on what is wrong."""
    try:
        return cxr.prevalence.parse(stated or DEFAULT), ""
    except cxr.prevalence.PrevalenceError as error:
        return otherwise, str(error)


def _box(prevalence: Prevalence, wrong: str):
    """The box as the reader left it, or, where that was wrong, what the scores are stated at."""
    return gr.update(value=cxr.prevalence.name(prevalence)) if wrong else gr.skip()


def _meaning(analyzed: Analysis) -> str:
    stated = cxr.prevalence.name(analyzed.prediction.prevalence)
    return _MEANING.format(_MIXES.get(stated, f"NIH's 112,120, but with {stated}"))


def _problem(analyzed: Analysis, wrong: str):
    """What looked odd in the film; before it, what was wrong with the prevalence."""
    warning = " ".join((*([wrong] if wrong else []), *analyzed.warnings))
    return gr.update(value=warning, visible=bool(warning))


def _page(analyzed: Analysis | None = None, least: float = 0, problem: str = ""):
    """Updates of all that the page shows: state, problem, empty, picture, answer and its parts.

    problem: a sentence that stands in the answer's place, or over it.
    """
    if analyzed is None:
        hidden = gr.update(visible=False)
        message = gr.update(value=problem, visible=bool(problem))
        picture = gr.update(value=None, visible=False)
        empty = gr.update(visible=not problem)
        return None, message, empty, picture, hidden, None, "", "", FINDINGS[0], None
    film, prediction = analyzed.film, analyzed.prediction
    top = next(name for name in prediction.ranked() if name != NO_FINDING)
    label, table = _list(prediction, least)
    return (
        prediction,
        _problem(analyzed, problem),
        gr.update(visible=False),
        gr.update(value=heatmap.preview(film.pixels), visible=True),
        gr.update(visible=True),
        label,
        table,
        _meaning(analyzed),
        top,
        analyzed.overlay_of(top),
    )


def _list(prediction: Prediction | None, least: float) -> tuple[dict[str, float] | None, str]:
    """The label and the table, with the scores of at least `least` percent."""
    if prediction is None:
        return None, ""
    listed = {name: p for name, p in prediction.ranked().items() if 100 * p >= least}
    label = {DISPLAY[name]: p for name, p in list(listed.items())[:TOP]}
    return label or None, _table(listed, prediction)


def _table(listed: dict[str, float], prediction: Prediction) -> str:
    """The findings as an HTML table; everything in it is this program's own text."""
    if not listed:
        return "<p>No score reaches that.</p>"
    rows = [
        _row(name, p, prediction.thresholds.get(name), name in prediction.flagged)
        for name, p in listed.items()
    ]
    head = "<tr><th>Finding</th><th>Score</th><th>Threshold</th><th>Reached</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _row(name: str, probability: float, threshold: float | None, flagged: bool) -> str:
    sentence = cxr_labels.TABLE[cxr_labels.index(name)].sentence
    limit = "none" if threshold is None else f"{100 * threshold:.1f} %"
    mark = "yes" if flagged else "never flagged" if threshold is None else "no"
    style = ' class="flagged"' if flagged else ""
    return (
        f"<tr><td><span{style}>{DISPLAY[name]}</span><small>{sentence}</small></td>"
        f"<td>{100 * probability:.1f} %</td><td>{limit}</td><td{style}>{mark}</td></tr>"
    )


def _explainer(predictor: Predictor) -> Callable:
    """Film and finding on the page -> the picture of the evidence."""

    def show_evidence(path: str | None, finding: str) -> np.ndarray | None:
        return analysis.analyze(predictor, path).overlay_of(finding) if path else None

    return show_evidence


def _gallery(offered: list[ExampleFilm]) -> gr.Gallery | None:
    if not offered:
        return None
    return gr.Gallery(
        [(_thumbnail(example.path), example.caption) for example in offered],
        label="Example films",
        columns=3,
        height=190,
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )


def _sources(offered: list[ExampleFilm]) -> str:
    return "\n".join(f"- **{plain(e.caption)}**: {plain(e.source)}" for e in offered)


def _thumbnail(path: Path) -> Image.Image:
    picture = Image.fromarray(heatmap.preview(radiograph.read(path).pixels))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return picture


def _chooser(offered: list[ExampleFilm]) -> Callable:
    """A click on an example -> its file, as if it had been uploaded."""

    def choose(event: gr.SelectData) -> str:
        return str(offered[event.index].path)

    return choose
