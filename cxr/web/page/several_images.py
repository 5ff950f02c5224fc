"""The tab for several images: many files in, a row for each as it is answered, CSV out.

Of an image nothing stays but its row. The CSV is made beside the table and lies in the browser, so
that it is there whenever the reader stops.
"""

import html
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

import cxr.inference.prevalence
from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.web.limits import LIST, MAX_LISTED, MAX_MEGABYTES
from cxr.web.page import files, prevalence_choice, saving, texts
from cxr.web.page.batch_words import BATCH
from cxr.web.page.text import Text
from cxr_labels import NO_FINDING

TOP = 5  # findings that a row names
_PAUSE = 0.25  # seconds between two looks at the table, each of which sends all of it


def add(predictor: Predictor) -> None:
    """Adds the tab's content to the page that is being built."""
    gr.HTML(
        f"<p>{BATCH['how'].filled(most=str(MAX_LISTED)).html}</p>"
        '<p role="alert" data-part="left-out" hidden>'
        f"{BATCH['left_out'].filled(most=str(MAX_MEGABYTES)).html} <bdi></bdi></p>",
        js_on_load=files.read("several_images.js"),
        apply_default_css=False,
        elem_id="batch-how",
        most=MAX_MEGABYTES,
    )
    images = gr.File(
        label=texts.marker("images"), file_count="multiple", height=180, elem_id="images"
    )
    prevalence = prevalence_choice.make("batch-prevalence", at_once=True)
    with gr.Row():
        start = gr.Button(texts.marker("batch_start"), variant="primary", elem_id="batch-start")
        stop = gr.Button(
            texts.marker("batch_stop"), variant="stop", visible=False, elem_id="batch-stop"
        )
        save = gr.Button(texts.marker("batch_csv"), visible=False, elem_id="batch-csv")
    status = gr.HTML(apply_default_css=False, elem_id="batch-status")
    table = gr.HTML(apply_default_css=False, elem_id="batch-table")
    csv = gr.Textbox(visible=False)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    waiting = start.click(
        _begin, None, [status, table, csv, start, stop, save], queue=False, **quiet
    )
    running = waiting.then(
        _answerer(predictor),
        [images, prevalence],
        [status, table, csv, save],
        **LIST,
        **quiet,
    )
    running.then(_end, status, [status, start, stop], queue=False, **quiet)
    # First the one, then the other, so that the last look at the table does not come after it.
    stopped = stop.click(None, cancels=[running], api_visibility="private")
    stopped.then(_stop, None, [status, start, stop], queue=False, **quiet)
    save.click(
        None, csv, None, js=saving.text("findings.csv", "text/csv"), api_visibility="private"
    )


def _begin():
    """Updates of status, table, CSV and the three buttons when the reader starts."""
    hidden, there = gr.update(visible=False), gr.update(visible=True)
    return _says("waiting"), "", "", hidden, there, hidden


def _end(status: str | None):
    """Updates of status and of the buttons to start and to stop when all is done.

    A list that never had its turn, as when too many are waiting, waits no more; Gradio says why.
    """
    waiting = status == _says("waiting")
    return "" if waiting else gr.skip(), gr.update(visible=True), gr.update(visible=False)


def _stop():
    """Updates of the same when the reader stops."""
    return _says("stopped"), gr.update(visible=True), gr.update(visible=False)


def _answerer(predictor: Predictor) -> Callable:
    """Images and prevalence on the page -> updates of status, table, CSV and the button for it."""

    def answer(paths: list[str] | None, stated: str) -> Iterator[tuple[Any, ...]]:
        if not paths:
            yield _problem(BATCH["no_images"]), gr.skip(), gr.skip(), gr.skip()
            return
        try:
            prevalence = cxr.inference.prevalence.parse(stated or DEFAULT)
        except cxr.inference.prevalence.PrevalenceError as error:
            yield _problem(texts.translated(str(error))), gr.skip(), gr.skip(), gr.skip()
            return
        images = paths[:MAX_LISTED]
        csv, rows, answered, shown = results.csv_text([results.CSV_COLUMNS]), "", 0, 0.0
        found_in_order = results.of_files(
            predictor, images, prevalence, lambda path: Path(path).name
        )
        for done, found in enumerate(found_in_order, 1):
            csv += results.csv_text([results.csv_row(found)])
            rows += _row(found)
            answered += found["rejected"] is None
            if time.monotonic() - shown > _PAUSE and done < len(images):
                shown = time.monotonic()
                table = _table(rows, prevalence)
                yield _progress(done, len(images)), table, csv, gr.update(visible=True)
        counts = {"answered": str(answered), "all": str(len(images))}
        status = _says("done", **counts)
        if len(paths) > MAX_LISTED:
            status += _problem(BATCH["too_many"].filled(most=str(MAX_LISTED), all=str(len(paths))))
        table = _table(rows, prevalence)
        yield status, table, csv, gr.update(visible=True)

    return answer


def _says(key: str, **values: str) -> str:
    return f'<p role="status">{BATCH[key].filled(**values).html}</p>'


def _problem(text: Text) -> str:
    return f'<p class="problem" role="alert">{text.html}</p>'


def _progress(done: int, count: int) -> str:
    words = BATCH["progress"].filled(done=str(done), all=str(count)).html
    return f'<p id="batch-done">{words}</p>' + (
        f'<progress max="{count}" value="{done}" aria-labelledby="batch-done"></progress>'
    )


def _table(rows: str, prevalence: Prevalence) -> str:
    mix = prevalence_choice.mix(prevalence)
    head = "".join(
        f'<th scope="col">{BATCH[key].html}</th>' for key in ("file", "findings", "notes")
    )
    return (
        f"<table><caption>{BATCH['caption'].filled(mix=mix).html}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(found: dict[str, Any]) -> str:
    """The answer for an image as a row of the table; the image's name may be anybody's."""
    if found["rejected"] is not None:
        findings = f"<strong>{BATCH['rejected'].html}</strong>"
        notes = [found["rejected"]]
    else:
        findings = _findings(found)
        notes = found["warnings"]
    said = "".join(f"<p>{texts.translated(sentence).html}</p>" for sentence in notes)
    name = f"<bdi>{html.escape(found['file'])}</bdi>"
    return f'<tr><th scope="row">{name}</th><td>{findings}</td><td>{said}</td></tr>'


def _findings(found: dict[str, Any]) -> str:
    probabilities = found["probabilities"]
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    flagged = [label for label in ranked if label in found["flagged"]]
    if not flagged:
        highest = next(label for label in ranked if label != NO_FINDING)
        words = BATCH["none"].filled(highest=_scored(highest, probabilities[highest]))
        return words.html
    items = [_scored(label, probabilities[label]).html for label in flagged[:TOP]]
    if len(flagged) > TOP:
        items.append(BATCH["more"].filled(count=str(len(flagged) - TOP)).html)
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _scored(label: str, probability: float) -> Text:
    score = f"{100 * probability:.1f} %"
    return Text("{finding} {score}", "{finding} {score}").filled(
        finding=texts.finding(label), score=score
    )
