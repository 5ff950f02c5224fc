"""What the page says instead of an answer, or over it: nothing yet, work, rejections, warnings."""

from collections.abc import Sequence

import gradio as gr

from cxr.web.page import texts
from cxr.web.page.texts import words


def alert(elem_id: str, script: str | None = None) -> gr.HTML:
    """A place for sentences, as HTML, that screen readers tell of when they come; "" hides it."""
    return gr.HTML(
        "",
        html_template='<div role="alert">${value}</div>'
        f'<template data-part="no-answer"><p>{words("no_answer")}</p></template>',
        js_on_load=script,
        apply_default_css=False,
        elem_id=elem_id,
    )


def empty() -> gr.HTML:
    """What stands where the answer will, and what stands there while it is made."""
    return gr.HTML(
        f'<p class="nothing">{words("empty")}</p>',
        apply_default_css=False,
        elem_id="empty",
    )


def busy() -> None:
    """Shown while an image is read; the style sheet does that."""
    gr.HTML(
        f'<p role="status"><span class="turning" aria-hidden="true"></span>{words("busy")}</p>',
        apply_default_css=False,
        elem_id="busy",
    )


# What the browser does when work begins and ends, without the server.
BEGIN = """() => {
  document.documentElement.classList.add('cxr-busy');
  document.documentElement.classList.remove('cxr-failed');
}"""
_SETTLED = "document.querySelector('.gradio-container').dispatchEvent(new Event('cxr-settled'));"
SETTLED = f"() => {{ {_SETTLED} }}"
END = f"() => {{ document.documentElement.classList.remove('cxr-busy'); {_SETTLED} }}"


def rejection(key: str, reason: str) -> str:
    """A rejection as HTML: what it is, and the reason in words."""
    return f"<p><strong>{words(key)}</strong> {texts.translated(reason).html}</p>"


def warnings(sentences: Sequence[str]) -> str:
    """The warnings as HTML; "" if there are none."""
    return "".join(
        f"<p><strong>{words('note')}</strong> {texts.translated(sentence).html}</p>"
        for sentence in sentences
    )
