"""The tab for one image: its findings, their heatmaps, and all scores."""

from collections.abc import Callable

import gradio as gr

import cxr.inference.prevalence
from cxr import imaging
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence, shares_at
from cxr.model import metrics
from cxr.model.examples import ExampleImage
from cxr.web.limits import ONE_IMAGE
from cxr.web.page import (
    downloads,
    files,
    findings_list,
    intake,
    notice,
    prevalence_choice,
    texts,
    viewer,
)
from cxr.web.page.prevalence_choice import understand
from cxr.web.recent import RecentPredictions
from cxr_labels import LABELS


def add(predictor: Predictor, recent: RecentPredictions, offered: list[ExampleImage]) -> None:
    """Adds the tab's content to the page that is being built."""
    measured = metrics.find_localisation(predictor.folder)
    with gr.Row(elem_id="intake"):
        with gr.Column(scale=2, min_width=280):
            image = intake.add()
        with gr.Column(scale=3, min_width=280):
            intake.add_examples(offered, image)
    problem = notice.alert("problem", files.read("notice.js"))
    notice.busy()
    empty = notice.empty()
    with gr.Column(visible=False, elem_id="answer") as answer:
        with gr.Row():
            with gr.Column(scale=6, min_width=300):
                shown = viewer.make()
            with gr.Column(scale=5, min_width=300):
                label = findings_list.bars()
                meaning = gr.HTML(apply_default_css=False, elem_id="meaning")
                finding = viewer.chooser(measured)
        prevalence = prevalence_choice.make("prevalence")
        wrong = notice.alert("prevalence-problem")
        table = findings_list.table()
        downloads.add(predictor, recent, image, prevalence, finding)
    scores = [label, table, meaning, prevalence, wrong]
    newest = gr.State({})  # one a session, which its handlers share: the image asked for last
    # The newest choice counts, and one for the image before does not reach the next.
    restated = prevalence.input(
        _restater(predictor, recent),
        [image, prevalence, newest],
        scores,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **ONE_IMAGE,
    )
    restated.then(None, js=notice.SETTLED, api_visibility="private")
    image.change(None, js=notice.BEGIN, api_visibility="private")
    image.change(
        _shower(predictor, recent),
        [image, prevalence, newest],
        [problem, empty, answer, shown, finding, *scores],
        cancels=[restated],
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="hidden",
        **ONE_IMAGE,
    ).then(None, js=notice.END, api_visibility="private")


def _shower(predictor: Predictor, recent: RecentPredictions) -> Callable:
    """Image on the page -> everything that the page shows of it."""

    def show(path: str | None, stated: str, newest: dict[str, str | None]):
        newest["image"] = path
        if path is None:
            return _nothing()
        prevalence, wrong = understand(stated, DEFAULT)
        try:
            prediction = recent.analyze(path, prevalence)
        except imaging.ImageError as error:
            kind = "no_scores" if error.code == "not_a_chest_xray" else "unreadable"
            return _nothing(notice.rejection(kind, str(error)))
        return (
            notice.warnings(prediction.warnings),
            gr.update(visible=False),
            gr.update(visible=True),
            viewer.value(prediction),
            "",
            *_scores(predictor, prediction, prevalence, wrong),
        )

    return show


def _restater(predictor: Predictor, recent: RecentPredictions) -> Callable:
    """Returns a function: image and requested prevalence -> probabilities at that prevalence.

    For a prevalence that cannot be parsed, the page shows a message and removes the probabilities.
    """

    def restate(path: str | None, stated: str, newest: dict[str, str | None], event: gr.EventData):
        if path is None:
            return [gr.skip()] * 5
        prevalence, wrong = understand(str(event.stated), DEFAULT)
        if wrong:
            return findings_list.no_scores(), "", "", str(event.stated), _wrong(wrong)
        prediction = recent.analyze(path, prevalence)
        # Gradio does not cancel what it has only just sent: this image may be gone meanwhile.
        if newest.get("image") != path:
            return [gr.skip()] * 5
        return _scores(predictor, prediction, prevalence, wrong)

    return restate


def _scores(predictor: Predictor, prediction: Prediction, prevalence: Prevalence, wrong: str):
    """Updates of all that depends on the prevalence; wrong: what was not understood of it."""
    shares = dict(zip(LABELS, map(float, shares_at(predictor.config, prevalence)), strict=True))
    return (
        findings_list.top(prediction),
        findings_list.rows(prediction, shares),
        prevalence_choice.meaning(prevalence),
        cxr.inference.prevalence.name(prevalence),
        _wrong(wrong),
    )


def _wrong(sentence: str) -> str:
    return f"<p>{texts.translated(sentence).html}</p>" if sentence else ""


def _nothing(problem: str = ""):
    """Updates for a page without an answer. problem: HTML that stands in its place."""
    hidden = gr.update(visible=False)
    return problem, gr.update(visible=not problem), hidden, None, "", *[gr.skip()] * 5
