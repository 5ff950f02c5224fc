"""The switch between the languages."""

import gradio as gr

from cxr.serving.page import files, texts
from cxr.serving.page.texts import CHINESE, ENGLISH


def add() -> None:
    """The switch.

    `?lang=zh` or `?lang=en` in the address wins, then what was chosen here before, then the
    browser's language: Chinese of every kind gets simplified Chinese, all else English.
    """
    title = texts.TEXTS["title"]
    gr.HTML(
        '<div role="group" aria-label="Language / 语言">'
        f'<button type="button" lang="{ENGLISH}" data-title="{title.en}">English</button>'
        f'<button type="button" lang="{CHINESE}" data-title="{title.zh}">中文</button></div>',
        js_on_load=files.read("language.js"),
        apply_default_css=False,
        elem_id="language",
    )
