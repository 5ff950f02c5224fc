"""The same words in both languages of the page."""

import html
from dataclasses import dataclass

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

    def in_language(self, language: str) -> str:
        """The words in one language; language: as of an HTML document, English where unknown."""
        return self.zh if language.lower().startswith("zh") else self.en

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
