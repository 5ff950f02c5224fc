"""How an image comes in: the file component with drop and paste, and the examples."""

import base64
import html
import io
from collections.abc import Callable

import gradio as gr
from PIL import Image

from cxr import imaging
from cxr.inference.overlay import preview
from cxr.model.examples import ExampleImage
from cxr.web.limits import MAX_MEGABYTES
from cxr.web.page import files, texts
from cxr.web.page.texts import words
from cxr_labels import LabelError, parse_labels

_THUMBNAIL = 160  # px


def add() -> gr.File:
    """The file component, and what is said of it."""
    image = gr.File(label=texts.marker("chest_xray"), height=150, elem_id="image")
    gr.HTML(
        f"<p>{words('how')}{words('formats', most=str(MAX_MEGABYTES))}</p>"
        f'<template data-part="too-large" data-most="{MAX_MEGABYTES}">'
        f"{words('too_large', size='{size}', most=str(MAX_MEGABYTES))}</template>"
        f'<template data-part="not-sent">{words("not_sent")}</template>',
        js_on_load=files.read("intake.js"),
        apply_default_css=False,
        elem_id="formats",
    )
    return image


def add_examples(offered: list[ExampleImage], image: gr.File) -> None:
    """The examples, as buttons; a click answers for one as if it had been uploaded."""
    if not offered:
        return
    buttons = "".join(_button(number, example) for number, example in enumerate(offered))
    gallery = gr.HTML(
        f'<h2>{words("examples")}</h2><div class="images">{buttons}</div>'
        f"<details><summary>{words('sources')}</summary><ul>{_sources(offered)}</ul></details>",
        js_on_load=files.read("examples.js"),
        apply_default_css=False,
        elem_id="examples",
    )
    gallery.select(_chooser(offered), None, image, api_visibility="private")


def _button(number: int, example: ExampleImage) -> str:
    return (
        f'<button type="button" data-example="{number}"><img alt="" src="{_thumbnail(example)}">'
        f'<span class="name">{html.escape(example.path.stem.replace("_", " "))}</span>'
        f"<small>{_labels(example)}</small></button>"
    )


def _labels(example: ExampleImage) -> str:
    """What the image is labelled with, as HTML; the table of examples may be anybody's."""
    if not example.labels:
        return words("unlabelled")
    try:
        found = [texts.finding(label) for label in parse_labels(example.labels)]
    except LabelError:
        return html.escape(example.labels.replace("|", ", "))
    labels = texts.Text(", ".join(t.en for t in found), "、".join(t.zh for t in found))
    return words("labelled", labels=labels)


def _sources(offered: list[ExampleImage]) -> str:
    return "".join(
        f"<li><strong>{html.escape(e.path.stem.replace('_', ' '))}</strong>: "
        f"{texts.linked(e.source)}</li>"
        for e in offered
    )


def _thumbnail(example: ExampleImage) -> str:
    """A small JPEG as a data address."""
    small = Image.fromarray(preview(imaging.eight_bits(imaging.read_image(example.path))))
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def _chooser(offered: list[ExampleImage]) -> Callable:
    """A click on an example -> its file, as if it had been uploaded."""

    def choose(event: gr.EventData) -> str:
        return str(offered[int(event.number)].path)

    return choose
