"""A model's card, anybody's Markdown, as HTML that runs nothing and fetches nothing."""

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LARGEST = 2**16  # bytes of a card that is shown: the time that parsing takes may grow as its square
_DEEPER = 2  # levels that its headings go down, to stand below the page's own
_HEADER = re.compile(r"\A---\n.*?^--- *$\n?", re.DOTALL | re.MULTILINE)
_ABROAD = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def render(card: str) -> str:
    """The card without its YAML header, as HTML.

    HTML and images in it are taken out (of an image its alternative text stays), and so are
    links that lead anywhere but to the web or to a mailbox.
    """
    return _parser().render(_HEADER.sub("", card, count=1))


def licence(card: str) -> str | None:
    """The licence that the YAML header names, such as "apache-2.0"."""
    header = _HEADER.match(card)
    named = header and re.search(r"^license: *['\"]?([\w.-]{1,40})['\"]? *$", header[0], re.M)
    return named[1] if named else None


@cache
def _parser() -> "MarkdownIt":
    # Only here: most visitors never open a card, and a start should not wait for it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.push("page", _fit)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _fit(state: Any) -> None:
    """Fits headings and links of a parsed text to the page that it stands in."""
    for token in _all(state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _DEEPER)}"
        elif token.type == "link_open" and _ABROAD.match(str(token.attrs.get("href"))):
            token.attrs |= {"target": "_blank", "rel": "noopener noreferrer nofollow"}
        elif token.type == "link_open":
            token.attrs = {}


def _all(tokens: Sequence["Token"]) -> Iterator["Token"]:
    for token in tokens:
        yield token
        yield from token.children or []


def _picture(renderer: Any, tokens: Sequence["Token"], at: int, options: Any, env: Any) -> str:
    described = renderer.renderInlineAsText(tokens[at].children, options, env)
    return f"<em>{html.escape(described)}</em>"


# What is written otherwise than Markdown is.
_RULES = {
    "html_block": lambda *_: "",
    "html_inline": lambda *_: "",
    "image": _picture,
    "table_open": lambda *_: '<div class="wide"><table>',
    "table_close": lambda *_: "</table></div>",
}
