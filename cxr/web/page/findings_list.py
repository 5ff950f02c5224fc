"""The scores: the most likely findings as bars, and all of them as a table with a threshold."""

import gradio as gr

from cxr.inference.predictor import Prediction
from cxr.web.page import files, texts
from cxr.web.page.texts import words
from cxr_labels import NO_FINDING

TOP = 5  # labels that the page shows in large


def bars() -> gr.HTML:
    """The most likely labels; its value is what `top` makes of an answer."""
    return gr.HTML("", js_on_load=files.read("bars.js"), apply_default_css=False, elem_id="label")


def table() -> gr.HTML:
    """The table under a slider that filters it; its value is what `rows` makes of an answer."""
    head = "".join(
        f'<th role="columnheader" scope="col">{words(key)}</th>'
        for key in (
            "head_finding",
            "head_score",
            "head_threshold",
            "head_reached",
            "head_prevalence",
        )
    )
    return gr.HTML(
        "",
        html_template=f"""
<h2>{words("all_findings")}</h2>
<div id="threshold"><label class="slider"><span>{words("threshold")}</span>
  <input type="range" min="0" max="100" step="1" value="0"></label>
  <span class="exact"><input type="number" min="0" max="100" step="any" value="0"
    aria-labelledby="threshold-name"> %</span>
  <span id="threshold-name" class="unseen">{words("threshold")} (%)</span>
  <span role="status" data-part="listed"></span></div>
<template>{words("listed", listed="{listed}", all="{all}")}</template>
<p class="none" hidden>{words("none_listed")}</p>
<table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>
  <tbody role="rowgroup">${{value}}</tbody></table>""",
        js_on_load=files.read("table.js"),
        apply_default_css=False,
        elem_id="table",
    )


def top(prediction: Prediction) -> str:
    """The most likely labels as HTML, each with its bar; findings can be chosen by it."""
    likely = list(prediction.ranked().items())[:TOP]
    items = "".join(
        f"<li>{_bar(label, p, prediction.thresholds.get(label), label in prediction.flagged)}</li>"
        for label, p in likely
    )
    return (
        f"<h2>{words('most_likely')}</h2><ol>{items}</ol>"
        f'<p class="hint">{words("choose_bar")} {words("threshold_mark")}</p>'
    )


def no_scores() -> str:
    """What stands in place of the bars when the prevalence was not understood, as HTML."""
    return f'<p class="hint">{words("no_scores_at_that")}</p>'


def _bar(label: str, probability: float, threshold: float | None, flagged: bool) -> str:
    badge = f'<span class="flag">{words("reached")}</span>' if flagged else ""
    mark = "" if threshold is None else f'<i class="mark" style="left:{100 * threshold:.2f}%"></i>'
    inside = (
        f'<span class="head"><span class="what">{texts.finding(label).html}</span>{badge}'
        f'<span class="score">{_percent(probability)}</span></span>'
        f'<span class="track" aria-hidden="true"><i class="fill" '
        f'style="width:{100 * probability:.2f}%"></i>{mark}</span>'
    )
    if label == NO_FINDING:
        note = texts.sentence(label).html
        return f'<div class="bar calm">{inside}<small>{note}</small></div>'
    kind = "bar flagged" if flagged else "bar"
    return (
        f'<button type="button" class="{kind}" data-finding="{label}" aria-pressed="false">'
        f"{inside}</button>"
    )


def rows(prediction: Prediction, shares: dict[str, float]) -> str:
    """The rows of the table, most likely first; all in it is this program's own text.

    shares: {label: the share of images with it that the scores are stated at}.
    """
    return "".join(
        _row(
            label,
            p,
            prediction.thresholds.get(label),
            label in prediction.flagged,
            shares[label],
        )
        for label, p in prediction.ranked().items()
    )


def _row(
    label: str, probability: float, threshold: float | None, flagged: bool, share: float
) -> str:
    limit = words("no_threshold") if threshold is None else _percent(threshold)
    reached = words("yes" if flagged else "never" if threshold is None else "no")
    name = f'<span class="what">{texts.finding(label).html}</span>'
    cells = "".join(
        f'<td role="cell"><span class="head" aria-hidden="true">{words(key)}</span>'
        f'<span class="cell">{cell}</span></td>'
        for key, cell in (
            ("head_score", _percent(probability)),
            ("head_threshold", limit),
            ("head_reached", reached),
            ("head_prevalence", _percent(share)),
        )
    )
    kind = ' class="flagged"' if flagged else ""
    return (
        f'<tr role="row"{kind} data-score="{100 * probability:.6f}">'
        f'<th role="rowheader" scope="row">{name}<small>{texts.sentence(label).html}</small></th>'
        f"{cells}</tr>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
