"""How the card writes figures, tables and names. What is undefined is "-"."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cxr_labels

ABSENT = "-"


def number(value: float | None) -> str:
    """0.7395 -> "0.740"."""
    return ABSENT if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """0.5875 -> "58.8 %"."""
    return ABSENT if value is None else f"{100 * value:.1f} %"


def in_percent(value: float | None) -> str:
    """0.5875 -> "58.8", for columns whose head says so: wide tables have no room for the sign."""
    return percent(value).removesuffix(" %")


def count(value: int | None) -> str:
    """2866 -> "2,866"."""
    return ABSENT if value is None else f"{value:,}"


def with_interval(
    figures: Mapping[str, Any],
    name: str,
    show: Callable[[float | None], str] = number,
    interval: str | None = None,
) -> str:
    """A figure and its interval: "0.740 (0.700–0.782)".

    interval: key of the interval; `name`_ci95 where not given.
    """
    value, ends = figures.get(name), figures.get(interval or f"{name}_ci95")
    if value is None or not ends:
        return show(value)
    low, high = (show(end).removesuffix(" %") for end in ends)
    return f"{show(value)} ({low}–{high})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: names on the left, figures on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def bullets(sentences: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def paragraphs(parts: Iterable[str]) -> str:
    """The parts that say something, apart by a blank line."""
    return "\n\n".join(part for part in parts if part)


def display(label: str) -> str:
    """A label as people read it."""
    return cxr_labels.DISPLAY.get(label, label)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
