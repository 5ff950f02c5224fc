"""The web page and its API: `build` puts a model behind a Gradio page.

Three endpoints are public and keep their shapes: `/predict` (film -> label with all confidences),
`/analyze` (film -> the JSON object of `analysis`) and `/explain` (film, finding -> picture). What
the page itself does goes through private ones.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cxr.serving.quick_start  # isort: skip
import gradio as gr
import numpy as np
from PIL import Image

import cxr.prevalence
import cxr_labels
from cxr import radiograph
from cxr.model_folder import Config
from cxr.prevalence import DEFAULT, NIH, TRAINING, Prevalence
from cxr.serving import analysis, examples, heatmap
from cxr.serving.analysis import Analysis
from cxr.serving.examples import ExampleFilm
from cxr.serving.model_source import Model
from cxr.serving.predictor import Prediction, Predictor
from cxr_labels import DISPLAY, FINDINGS, NO_FINDING

TOP = 5  # labels that the page shows in large
MAX_FILE_SIZE = "50mb"
_KEPT = 3600  # seconds that uploads, and pictures made of them, are kept
_THUMBNAIL = 320  # px
_SANS, _MONO = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # nothing is fetched

_CSS = """
.gradio-container { max-width: 1200px !important; margin: 0 auto !important; }
#disclaimer { border-left: 4px solid var(--color-accent); padding-left: 14px; }
#problem { border: 1px solid var(--color-accent); border-radius: 8px; padding: 10px 16px; }
#examples { height: auto; }
#examples .caption-label { max-width: 100%; left: 0; font-size: 12px; }
#table table { width: 100%; border-collapse: collapse; border-width: 0 !important; }
#table th, #table td { text-align: left; vertical-align: top; padding: 6px 10px 6px 0;
  border-width: 0 0 1px 0 !important; border-color: var(--border-color-primary); }
#table td:nth-child(2), #table td:nth-child(3) { text-align: right; white-space: nowrap; }
#table small { display: block; opacity: 0.8; }
#table .flagged { font-weight: 600; }
@media (max-width: 480px) {
  #table th, #table td { padding-right: 6px; font-size: 12px; }
  #table td:first-child { overflow-wrap: anywhere; }
}
"""

# Gradio confines `css` to what lies inside the page's own frame; this styles the frame.
_HEAD = """<style>@media (max-width: 480px) {
.gradio-container .main { padding-left: 12px !important; padding-right: 12px !important; }
}</style>"""

# What belongs to launch() in Gradio 6. Nothing of a visitor is kept or shown: no run history,
# no monitoring page, no traceback.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_SANS, font_mono=_MONO),
    "css": _CSS,
    "head": _HEAD,
    "max_file_size": MAX_FILE_SIZE,
    "show_error": False,
    "run_history": False,
    "enable_monitoring": False,
    "footer_links": ["api", "settings"],
    "ssr_mode": False,
    "state_session_capacity": 1000,
}


def build(predictor: Predictor) -> gr.Blocks:
    """The page for a model; `build(...).launch(**LAUNCH)` serves it."""
    offered = examples.find(predictor.folder)
    # Gradio hands out only what lies below its working folder, or what it is told of.
    gr.set_static_paths([example.path for example in offered])
    with gr.Blocks(
        title="Findings on a chest film", analytics_enabled=False, delete_cache=(_KEPT // 2, _KEPT)
    ) as demo:
        gr.Markdown(_introduction(predictor))
        # Small, for there is one a visitor: the film itself is read again where it is needed.
        shown = gr.State(None, time_to_live=_KEPT)  # the Prediction for the film on the page
        with gr.Row():
            with gr.Column(min_width=280):
                film = gr.File(label="Chest film", height=150, elem_id="film")
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
        gr.Markdown(analysis.DISCLAIMER, elem_id="disclaimer")

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
        _add_endpoints(predictor)
    demo.queue(max_size=64)
    return demo


def _add_endpoints(predictor: Predictor) -> None:
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
        return _ranked(_analyze(predictor, film, _parse(prevalence)).prediction)

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


_NO_FILM = "No film was given; choose a file."
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
        analyzed = _analyze(predictor, path, prevalence)
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


def _parse(stated: str | None) -> Prevalence:
    """The prevalence in words; what is wrong with it reaches the caller as one sentence."""
    try:
        return cxr.prevalence.parse(stated or DEFAULT)
    except cxr.prevalence.PrevalenceError as error:
        raise gr.Error(str(error), print_exception=False) from error


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
    top = next(name for name in _ranked(prediction) if name != NO_FINDING)
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
    listed = {name: p for name, p in _ranked(prediction).items() if 100 * p >= least}
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
        return _analyze(predictor, path).overlay_of(finding) if path else None

    return show_evidence


def _ranked(prediction: Prediction) -> dict[str, float]:
    """All labels with their probabilities, most likely first."""
    return dict(sorted(prediction.probabilities.items(), key=lambda item: -item[1]))


def _analyze(predictor: Predictor, path: str | None, prevalence: Prevalence = DEFAULT) -> Analysis:
    """Analysis of a film; what is wrong with it reaches the caller as one sentence."""
    if path is None:
        raise gr.Error(_NO_FILM, print_exception=False)
    try:
        return analysis.analyze(predictor, path, prevalence)
    except radiograph.RadiographError as error:
        raise gr.Error(str(error), print_exception=False) from error


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
    return "\n".join(f"- **{_plain(e.caption)}**: {_plain(e.source)}" for e in offered)


def _thumbnail(path: Path) -> Image.Image:
    picture = Image.fromarray(heatmap.preview(radiograph.read(path).pixels))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return picture


def _chooser(offered: list[ExampleFilm]) -> Callable:
    """A click on an example -> its file, as if it had been uploaded."""

    def choose(event: gr.SelectData) -> str:
        return str(offered[event.index].path)

    return choose


def _introduction(predictor: Predictor) -> str:
    config = predictor.config
    return (
        "# Findings on a chest film\n"
        "A model scores 14 findings on a frontal chest film and shows where on the film the "
        f"evidence lies. Model: {_named(predictor.model)} ({_plain(config.architecture)}, "
        f"{config.image_size} px{_measured(config)}). {predictor.model.note}"
    ).rstrip()


def _named(model: Model) -> str:
    """The model's name; of one on the Hub the commit too, short, with all of it in the link."""
    if not model.revision:
        return f"`{model.name}`"
    return f'`{model.name}`, commit [`{model.revision[:7]}`]({model.address} "{model.revision}")'


def _plain(text: str) -> str:
    """A text of somebody's model folder as Markdown that shows it letter by letter.

    Addresses stay links. Pictures, which a browser would fetch from elsewhere, do not.
    """
    parts = re.split(r"(https?://[\w./:%?=&#-]*[\w/])", " ".join(text.split()))
    parts[::2] = [re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _measured(config: Config) -> str:
    """How well it tells films apart, beside what answers without a film reach."""
    auroc = config.metrics.get("mean_auroc")
    if auroc is None:
        return ""
    interval = config.metrics.get("mean_auroc_ci95")
    alone = config.metrics.get("metadata_only_mean_auroc")
    leaky = config.training.get("split") == "random"
    return "".join(
        [
            f", mean AUROC {auroc:.2f}",
            f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "",
            " on held-out films",
            " of patients that training saw too" if leaky else "",
            f"; {alone:.2f} from sex, age and view alone" if alone is not None else "",
        ]
    )
