"""The viewer: the image, the heatmap for one finding over it, and the tools to look at both.

The answer brings the image and the small heatmaps of all findings; `viewer.js` draws them, in
the browser, when they are asked for.
"""

import base64
import io
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from cxr.inference.overlay import eight_bit_heatmap, preview
from cxr.inference.prediction import Prediction
from cxr.model.metrics import Estimate, Localisation, Located
from cxr.web.page import files, texts
from cxr.web.page.texts import Text, words
from cxr_labels import FINDINGS

_ICONS = {  # paths of 24x24 px
    "zoom_out": "M5 12h14",
    "zoom_in": "M5 12h14M12 5v14",
    "whole": "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
    "invert": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 5v14a7 7 0 0 1 0-14z",
    "fullscreen": "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
}


def make() -> gr.HTML:
    """The viewer; its value is what `value` makes of an answer."""
    return gr.HTML(
        None,
        html_template=_template(),
        js_on_load=files.read("viewer.js"),
        apply_default_css=False,
        elem_id="heatmap-picture",
    )


def chooser(measured: Localisation | None) -> gr.HTML:
    """The findings to choose from; its value is the chosen one, "" when the image is shown alone.

    How often the boxes of the chosen one were right stands beside it.
    """
    chips = "".join(
        f'<label class="chip"><input type="radio" name="finding" value="{value}"{checked}>'
        f"<span>{name}</span></label>"
        for value, name, checked in (
            ("", words("image_alone"), " checked"),
            *((label, texts.finding(label).html, "") for label in FINDINGS),
        )
    )
    records = "".join(
        f'<div class="record" data-record="{label}" hidden>{_record(measured, label)}</div>'
        for label in FINDINGS
    )
    return gr.HTML(
        "",
        html_template=f"<fieldset><legend>{words('choice')}</legend>{chips}</fieldset>{records}",
        js_on_load=files.read("chooser.js"),
        apply_default_css=False,
        elem_id="choice",
    )


def value(prediction: Prediction) -> dict[str, Any]:
    """What the browser needs to draw.

    image: a PNG as a data address, at most 1024 px. findings: {label: {map: base64 of uint8
    [rows, columns], boxes: shares of the image's sides, caption: HTML}}.
    """
    rows, columns = prediction.heatmaps.shape[1:]
    return {
        "image": _address(preview(prediction.image.grey)),
        "rows": rows,
        "columns": columns,
        "plain": words("plain_image"),
        "findings": {label: _shown(prediction, label) for label in FINDINGS},
    }


def _shown(prediction: Prediction, label: str) -> dict[str, Any]:
    heatmap = prediction.heatmap(label)
    boxes = prediction.boxes(label)
    return {
        "map": base64.b64encode(eight_bit_heatmap(heatmap).tobytes()).decode(),
        "boxes": boxes,
        "caption": _caption(heatmap, label, bool(boxes)),
    }


def _address(image: np.ndarray) -> str:
    """A lossless image, since the window may be narrowed; packed lightly, as that is fast."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _caption(heatmap: np.ndarray, label: str, peaks: bool) -> str:
    """What the image shows, for those who do not see it too."""
    finding = texts.finding(label)
    if not peaks:
        return words("flat", finding=finding)
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    down = ("upper", "middle", "lower")[3 * int(row) // heatmap.shape[0]]
    across = ("left", "middle", "right")[3 * int(column) // heatmap.shape[1]]
    return words("shown", finding=finding, where=texts.TEXTS[f"{down}_{across}"])


def _record(measured: Localisation | None, label: str) -> str:
    """How often such boxes were right, as a table beside a constant box."""
    if measured is None:
        return f"<p>{words('record_none')}</p>"
    rows = [("record_all", measured.heatmaps), ("record_constant", measured.constant_box)]
    body = "".join(_hits(texts.TEXTS[key], hits) for key, hits in rows)
    own = measured.heatmaps.findings.get(label)
    if own:
        name = texts.TEXTS["record_this"].filled(finding=texts.finding(label), boxes=str(own.boxes))
        body = _hits(name, own) + body
    head = "".join(
        f'<th scope="col">{words(key)}</th>'
        for key in ("record_answer", "record_pointing", "record_overlap")
    )
    return (
        f"<table><caption>{words('record', boxes=str(measured.heatmaps.boxes))}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        + ("" if own else f"<p>{words('record_not_this')}</p>")
    )


def _hits(name: Text, hits: Located) -> str:
    return (
        f'<tr><th scope="row">{name.html}</th>'
        f"<td>{_percent(hits.pointing)}</td><td>{_percent(hits.overlap)}</td></tr>"
    )


def _percent(share: Estimate | None) -> str:
    if share is None:
        return "–"
    value = f"{100 * share.value:.0f} %"
    if share.ci95 is None:
        return value
    low, high = (f"{100 * end:.0f}" for end in share.ci95)
    return f"{value} <small>{Text(f'({low} to {high})', f'（{low} 至 {high}）').html}</small>"


def _template() -> str:
    """The parts that `viewer.js` fills; no word in it may hold a backtick, a "${" or a "{{"."""
    zooms = "".join(_tool(key) for key in ("zoom_out", "zoom_in", "whole"))
    return f"""
<figure class="viewer">
  <div class="viewport" data-part="viewport" tabindex="0" role="group"
    aria-labelledby="viewer-keys">
    <div class="stage" data-part="stage">
      <canvas data-part="image" role="img" aria-labelledby="viewer-caption"></canvas>
      <canvas data-part="heatmap" aria-hidden="true"></canvas>
      <svg data-part="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"></svg>
    </div>
  </div>
  <span id="viewer-keys" class="unseen">{words("viewport")}</span>
  <div class="tools">{zooms}{_tool("invert", 'aria-pressed="false"')}{_tool("fullscreen")}
    <span class="hint">{words("viewport_hint")}</span></div>
  <figcaption id="viewer-caption" data-part="caption" role="status"></figcaption>
  <div class="sliders">
    {_slider("opacity", 0, 100, 55)}
    <label class="tick"><input type="checkbox" data-part="draw-boxes" checked>
      {words("boxes")}</label>
    {_slider("level", 0, 255, 128)}
    {_slider("width", 1, 255, 255)}
    <button type="button" class="plain" data-part="reset">{words("reset")}</button>
  </div>
  <div class="about-heatmap" data-part="about" hidden>
    <p class="legend"><span>{words("legend_least")}</span><span class="scale"
      aria-hidden="true"></span><span>{words("legend_most")}</span></p>
    <p>{words("legend")}</p>
  </div>
</figure>"""


def _tool(key: str, attributes: str = "") -> str:
    return (
        f'<button type="button" class="tool" data-part="{key}" {attributes}>'
        f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{_ICONS[key]}"/></svg>'
        f'<span class="name">{words(key)}</span></button>'
    )


def _slider(key: str, least: int, most: int, start: int) -> str:
    return (
        f'<label class="slider"><span>{words(key)}</span><input type="range" data-part="{key}" '
        f'min="{least}" max="{most}" value="{start}"><output data-part="{key}-value"></output>'
        "</label>"
    )
