"""How the card, the HTML report and the terminal write metrics, counts and names."""

import cxr_labels
from cxr.model.metrics import Estimate

ABSENT = "–"  # for what is undefined


def number(value: float | None) -> str:
    """0.7395 -> "0.740"."""
    return ABSENT if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """0.5875 -> "58.8 %"."""
    return ABSENT if value is None else f"{100 * value:.1f} %"


def count(value: int | None) -> str:
    """2866 -> "2,866"."""
    return ABSENT if value is None else f"{value:,}"


def images(value: int) -> str:
    """1 -> "1 image", 2866 -> "2,866 images"."""
    return "1 image" if value == 1 else f"{value:,} images"


def estimate(found: Estimate | None, scale: str = "number") -> str:
    """A metric with its interval.

    Args:
        found: The metric.
        scale: "number": "0.740 (0.700–0.782)", "percent": "74.0 % (70.0–78.2)", or "in_percent":
            "74.0 (70.0–78.2)", for columns whose head has the sign.
    """
    show = number if scale == "number" else percent
    if found is None:
        return ABSENT
    text = show(found.value)
    if found.ci95:
        low, high = (show(end).removesuffix(" %") for end in found.ci95)
        text += f" ({low}–{high})"
    return text.replace(" %", "") if scale == "in_percent" else text


def display(label: str) -> str:
    """A label as people read it."""
    return cxr_labels.DISPLAY.get(label, label)


def averaged(findings: int) -> str:
    """Over how many findings a mean is: "the 14 findings", unless some are undefined."""
    if findings == len(cxr_labels.FINDINGS):
        return f"the {findings} findings"
    return f"{findings} finding{'s' if findings != 1 else ''}"


FILTERS = {f.__name__: f for f in (number, percent, count, images, estimate, display, averaged)}
