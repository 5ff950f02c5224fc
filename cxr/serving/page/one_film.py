"""The tab for one film: a film in, its findings, where the evidence lies, and all scores."""

from collections.abc import Callable

import gradio as gr

import cxr.prevalence
from cxr import radiograph
from cxr.prevalence import DEFAULT, Prevalence
from cxr.serving import analysis, box_record
from cxr.serving.analysis import Analysis
from cxr.serving.examples import ExampleFilm
from cxr.serving.page import (
    AT_ONCE,
    files,
    findings_list,
    intake,
    notice,
    prevalence_choice,
    take_away,
    texts,
    viewer,
)
from cxr.serving.page.prevalence_choice import understand
from cxr.serving.predictor import Predictor
from cxr_labels import LABELS


def add(predictor: Predictor, offered: list[ExampleFilm]) -> None:
    """Adds the tab's content to the page that is being built."""
    record = box_record.read(predictor.folder)
    with gr.Row(elem_id="intake"):
        with gr.Column(scale=2, min_width=280):
            film = intake.add()
        with gr.Column(scale=3, min_width=280):
            intake.add_examples(offered, film)
    problem = notice.alert("problem", files.read("notice.js"))
    notice.busy()
    empty = notice.empty()
    with gr.Column(visible=False, elem_id="answer") as answer:
        with gr.Row():
            with gr.Column(scale=6, min_width=300):
                picture = viewer.make()
            with gr.Column(scale=5, min_width=300):
                label = findings_list.bars()
                meaning = gr.HTML(apply_default_css=False, elem_id="meaning")
                finding = viewer.chooser(record)
        prevalence = prevalence_choice.make("prevalence")
        wrong = notice.alert("prevalence-problem")
        table = findings_list.table()
        take_away.add(predictor, film, prevalence, finding)
    scores = [label, table, meaning, prevalence, wrong]
    newest = gr.State({})  # one a session, which its handlers share: the film asked for last
    # The newest choice counts, and one for the film before does not reach the next.
    restated = prevalence.input(
        _restater(predictor),
        [film, prevalence, newest],
        scores,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **AT_ONCE,
    )
    restated.then(None, js=notice.SETTLED, api_visibility="private")
    film.change(None, js=notice.BEGIN, api_visibility="private")
    film.change(
        _shower(predictor),
        [film, prevalence, newest],
        [problem, empty, answer, picture, finding, *scores],
        cancels=[restated],
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **AT_ONCE,
    ).then(None, js=notice.END, api_visibility="private")


def _shower(predictor: Predictor) -> Callable:
    """Film on the page -> everything that the page shows of it."""

    def show(path: str | None, stated: str, newest: dict[str, str | None]):
        newest["film"] = path
        if path is None:
            return _nothing()
        prevalence, wrong = understand(stated, DEFAULT)
        try:
            analyzed = analysis.analyze(predictor, path, prevalence)
        except analysis.NotAChestFilm as error:
            return _nothing(notice.refusal("no_scores", str(error)))
        except radiograph.RadiographError as error:
            return _nothing(notice.refusal("unreadable", str(error)))
        return (
            notice.warnings(analyzed.warnings),
            gr.update(visible=False),
            gr.update(visible=True),
            viewer.value(analyzed),
            "",
            *_scores(predictor, analyzed, prevalence, wrong),
        )

    return show


def _restater(predictor: Predictor) -> Callable:
    """Film, and what prevalence is asked for -> the same film's scores at that prevalence.

    What is no prevalence leaves the scores at the one they are stated at.
    """

    def restate(path: str | None, stated: str, newest: dict[str, str | None], event: gr.EventData):
        if path is None:
            return [gr.skip()] * 5
        now, _ = understand(stated, DEFAULT)
        prevalence, wrong = understand(str(event.stated), now)
        if wrong:
            return *[gr.skip()] * 4, _wrong(wrong)
        analyzed = analysis.analyze(predictor, path, prevalence)
        # Gradio does not cancel what it has only just sent: this film may be gone meanwhile.
        if newest.get("film") != path:
            return [gr.skip()] * 5
        return _scores(predictor, analyzed, prevalence, wrong)

    return restate


def _scores(predictor: Predictor, analyzed: Analysis, prevalence: Prevalence, wrong: str):
    """Updates of all that depends on the prevalence; wrong: what was not understood of it."""
    shares = dict(zip(LABELS, map(float, predictor.config.shares(prevalence)), strict=True))
    return (
        findings_list.top(analyzed.prediction),
        findings_list.rows(analyzed.prediction, shares),
        prevalence_choice.meaning(prevalence),
        cxr.prevalence.name(prevalence),
        _wrong(wrong),
    )


def _wrong(sentence: str) -> str:
    return f"<p>{texts.said(sentence).html}</p>" if sentence else ""


def _nothing(problem: str = ""):
    """Updates for a page without an answer. problem: HTML that stands in its place."""
    hidden = gr.update(visible=False)
    return problem, gr.update(visible=not problem), hidden, None, "", *[gr.skip()] * 5
