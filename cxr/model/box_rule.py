"""The numbers of the rule that turns an heatmap into a box: tuned by the training half on
validation images, kept in `config.json`, applied by `cxr.inference.boxes`."""

import math
from dataclasses import dataclass, field
from typing import Any

from cxr_labels import LABELS

_FINEST = 16


@dataclass(frozen=True)
class BoxRule:
    """How a map's region becomes a box. The default frames the region above half of the peak.

    height: a cell belongs to the region around the peak when it reaches this share of the way from
    the map's median to its peak; above 0, at most 1.
    pull: how far the box goes from the region's own frame (0) to the finding's typical size around
    the region's centre of weight (1).
    fine: parts that a cell's side is divided into, by bicubic interpolation, before all this.
    sizes: {label: (width, height)} that boxes typically have, as shares of the image's sides, above
    0; a label without one keeps its region's frame.
    """

    height: float = 0.5
    pull: float = 0.0
    fine: int = 1
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)


def parse(raw: Any) -> BoxRule:
    """The rule as it stands in config.json; None, as in older folders, is the default.

    Raises ValueError that names what is wrong.
    """
    if raw is None:
        return BoxRule()
    try:
        rule = BoxRule(
            height=float(raw["height"]),
            pull=float(raw["pull"]),
            fine=_whole(raw["fine"]),
            sizes={k: _pair(size) for k, size in raw["sizes"].items() if k in LABELS},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError("box_rule (height, pull, fine, sizes)") from error
    if not (0 < rule.height <= 1 and 0 <= rule.pull <= 1 and 1 <= rule.fine <= _FINEST):
        raise ValueError("box_rule (height, pull or fine out of range)")
    return rule


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number")
    return value


def _pair(size: Any) -> tuple[float, float]:
    width, height = (float(v) for v in size)
    if not (0 < width <= 1 and 0 < height <= 1 and math.isfinite(width * height)):
        raise ValueError("a width and a height as shares")
    return width, height
