"""The tables of metrics in docs/performance.md."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"


def metrics() -> str:
    """The metrics of `make bench`, and the machine that it ran on."""
    return _metrics(DOCS / "performance.json")


def metrics_on_a_gpu() -> str:
    """The metrics of the parts that were measured on a GPU."""
    return _metrics(DOCS / "performance_gpu.json")


def _metrics(path: Path) -> str:
    rows = json.loads(path.read_text(encoding="utf-8"))
    with_target = [row for row in rows if row["target"] is not None]
    reached = sum(_reached(row) for row in with_target)
    lines = [
        f"On {rows[0]['machine']}; {reached} of {len(with_target)} targets reached.",
        "",
        "| metric | measured | target |  |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, rows)])


def _line(row: dict[str, Any]) -> str:
    name, value = row["name"].replace("|", "\\|"), row["value"]
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if row["target"] is None:
        return f"| {name} | {number} | ceiling |  |"
    sign = "at least" if row["better"] == "higher" else "at most"
    missed = "" if _reached(row) else "missed"
    return f"| {name} | {number} | {sign} {row['target']:g} | {missed} |"


def _reached(row: dict[str, Any]) -> bool:
    higher = row["better"] == "higher"
    return row["value"] >= row["target"] if higher else row["value"] <= row["target"]
