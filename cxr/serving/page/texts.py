"""All words of the page, in English and in Chinese.

Words that stand still (labels, headings) go to Gradio as markers, which its front end translates.
Words that are made here with figures in them go out in both languages, and the style sheet shows
the one that the page is in: switching needs no answer of the server.
"""

import html
import re
from dataclasses import dataclass

import gradio as gr

ENGLISH, CHINESE = "en", "zh-CN"


@dataclass(frozen=True)
class Text:
    """The same words in both languages; plain text, not HTML."""

    en: str
    zh: str

    def filled(self, **values: "str | Text") -> "Text":
        """With values put in their places, each in its language."""
        return Text(
            self.en.format(**{k: v if isinstance(v, str) else v.en for k, v in values.items()}),
            self.zh.format(**{k: v if isinstance(v, str) else v.zh for k, v in values.items()}),
        )

    @property
    def html(self) -> str:
        """Both languages, escaped; the style sheet shows one (`LANGUAGE_CSS`)."""
        return "".join(
            f'<span lang="{language}">{html.escape(words)}</span>'
            for language, words in ((ENGLISH, self.en), (CHINESE, self.zh))
        )


# Gradio keeps the page's language in the document's own `lang`.
LANGUAGE_CSS = """
html:not([lang^="zh"]) span[lang="zh-CN"], html[lang^="zh"] span[lang="en"] { display: none; }
"""

TEXTS: dict[str, Text] = {
    "film": Text("Chest film", "胸片"),
    "one_film": Text("One film", "单张胸片"),
}


def marker(key: str):
    """What a component's label, info, placeholder or value is given to show a text of TEXTS."""
    return _I18N(key)


def translations() -> gr.I18n:
    """What launch() is given."""
    return _I18N


_I18N = gr.I18n(
    **{
        ENGLISH: {key: text.en for key, text in TEXTS.items()},
        CHINESE: {key: text.zh for key, text in TEXTS.items()},
    }
)


def plain(text: str) -> str:
    """A text of somebody's model folder as Markdown that shows it letter by letter.

    Addresses stay links. Pictures, which a browser would fetch from elsewhere, do not.
    """
    parts = re.split(r"(https?://[\w./:%?=&#-]*[\w/])", " ".join(text.split()))
    parts[::2] = [re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
