"""Where the time of one request and of one training step goes.

    python -m benchmarks.profile [--films FOLDER] [--model FOLDER]

Writes docs/profile.json and the figure of it, docs/profile.svg.
"""

import argparse
import io
import json
import os
import tempfile
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks import here, layout, profile_request, profile_step
from cxr import atomic

ROOT = Path(__file__).parents[1]
NUMBERS, PICTURE = ROOT / "docs" / "profile.json", ROOT / "docs" / "profile.svg"
TITLES = {
    "request": "One request: a 1024x1024 PNG over HTTP",
    "training step": "One training step: 32 films of 320 px",
}


def main() -> None:
    """Measures both, and writes the numbers and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=Path, default=ROOT.parent / "shared" / "nih_1024")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CXR_CACHE"] = f"{scratch}/cache"
        data = layout.lay_out(options.films, Path(scratch) / "data")
        found = {
            "request": profile_request.profile(data, options.model),
            "training step": profile_step.profile(data, options.model),
        }
    rounded = {
        what: {part: round(ms, 2) for part, ms in parts.items()} for what, parts in found.items()
    }
    written = {"machine": here.description(), "milliseconds": rounded}
    atomic.write_text(NUMBERS, json.dumps(written, indent=2) + "\n")
    atomic.write_text(PICTURE, draw(rounded))


def draw(profiles: dict[str, dict[str, float]]) -> str:
    """The figure as SVG, the same for the same numbers. profiles: {what: {part: ms}}."""
    import matplotlib

    heights = [len(parts) for parts in profiles.values()]
    figure = Figure(figsize=(8, 0.32 * sum(heights) + 1.6), layout="constrained")
    axes = figure.subplots(len(profiles), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (what, parts) in zip(axes, profiles.items(), strict=True):
        names, values = list(parts), [max(ms, 0.0) for ms in parts.values()]
        bars = axis.barh(names, values, color="#2f6f9f")
        axis.bar_label(bars, [f"{ms:.1f} ms" for ms in values], padding=4, fontsize=9)
        axis.set_title(f"{TITLES[what]}, {sum(values):,.0f} ms", loc="left", fontsize=11)
        axis.invert_yaxis()
        axis.set_xlim(0, 1.15 * max(values))
        axis.xaxis.set_visible(False)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "profile", "svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(drawn, metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


if __name__ == "__main__":
    main()
