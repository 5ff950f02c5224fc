"""The switch between the languages."""

import html
import json

import gradio as gr

from cxr.web.page import files, texts
from cxr.web.page.texts import CHINESE, ENGLISH


def add(tabs: list[str]) -> None:
    """The switch. tabs: the texts that the page's tabs are named by.

    `?lang=zh` or `?lang=en` in the address wins, then what was chosen here before, then the
    browser's language: Chinese of every kind gets simplified Chinese, all else English.
    """
    title = texts.TEXTS["title"]
    names = [{ENGLISH: texts.TEXTS[key].en, CHINESE: texts.TEXTS[key].zh} for key in tabs]
    data = html.escape(json.dumps(names))
    gr.HTML(
        f'<div role="group" aria-label="Language / 语言" data-tabs="{data}">'
        f'<button type="button" lang="{ENGLISH}" data-title="{title.en}">English</button>'
        f'<button type="button" lang="{CHINESE}" data-title="{title.zh}">中文</button></div>',
        js_on_load=files.read("language.js"),
        apply_default_css=False,
        elem_id="language",
    )
