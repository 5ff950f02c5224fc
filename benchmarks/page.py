"""The generated parts of docs/performance.md, from what was measured."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"


def figures() -> str:
    """The table of `make bench`, and the machine that it ran on."""
    return _figures("performance.json")


def figures_on_a_gpu() -> str:
    """Those of its parts that were measured on a GPU."""
    return _figures("performance_gpu.json")


def _figures(file: str) -> str:
    rows = _read(file)
    sign = {"higher": "at least", "lower": "at most"}
    table = _table(
        ("what", "measured", "bar", ""),
        (
            (
                _cell(row["what"]),
                _number(row["value"]),
                f"{sign[row['better']]} {row['bar']:g}",
                "" if _reached(row) else "missed",
            )
            for row in rows
        ),
    )
    missed = sum(not _reached(row) for row in rows)
    return f"On {rows[0]['machine']}; {len(rows) - missed} of {len(rows)} bars reached.\n\n{table}"


def decoders() -> str:
    """Milliseconds of each decoder for an image of 1024x1024."""
    found = _read("alternatives/serving.json")["decoders"]
    rows = [(kind, name, f"{ms:.1f}") for kind, each in found.items() for name, ms in each.items()]
    return _table(("file", "decoder", "ms"), rows)


def sessions() -> str:
    """ONNX Runtime's settings for an image that is alone, and ways to share the cores."""
    found = _read("alternatives/serving.json")
    alone = _table(
        ("one image alone", "ms of the network"),
        ((way, f"{ms:.1f}") for way, ms in found["sessions"].items()),
    )
    at_once = _table(
        ("images at once", "images a second, decoding included"),
        ((way, f"{rate:.0f}") for way, rate in found["at_once"].items()),
    )
    opened = found["start"]
    return (
        f"{alone}\n\n{at_once}\n\nOpening the network takes {opened['as it is']:.0f} ms, from a "
        f"file saved with its graph optimised {opened['saved optimised']:.0f} ms."
    )


def int8() -> str:
    """int8 against float32, and whether it was taken."""
    from benchmarks.alternatives.int8 import AUROC, PROBABILITY

    found = _read("alternatives/serving.json")["int8"]
    rows = [("float32", f"{found['float32']['ms']:.1f}", "", "", "", "", "used")]
    for calibration, way in found.items():
        if calibration != "float32":
            rows.append(
                (
                    f"int8, {calibration}",
                    f"{way['ms']:.1f}",
                    f"{way['auroc']:+.4f}",
                    f"{way['probability']['nih']:.4f}",
                    f"{way['probability']['training']:.4f}",
                    f"{way['largest']:.2f}",
                    "within them" if way["accepted"] else "not within them",
                )
            )
    head = (
        "network",
        "ms",
        "change of mean AUROC",
        "of a probability at NIH's prevalence",
        "at the training set's",
        "largest",
        f"limits: AUROC -{AUROC}, probability {PROBABILITY}",
    )
    return _table(head, rows)


def training() -> str:
    """Other ways to make a training step on a CPU, against train.py's."""
    return _ways("alternatives/training.json")


def training_on_a_gpu() -> str:
    """The same on a GPU."""
    return _ways("alternatives/training_gpu.json")


def steps_on_a_gpu() -> str:
    """How a step on a GPU became what it is."""
    rows = [
        (
            row["step"],
            f"{row['new images']:.1f}",
            f"{row['repeated batch']:.1f}",
            f"{row['images a second']:,}",
        )
        for row in _read("alternatives/gpu_steps.json")["steps"]
    ]
    return _table(("step of 64 images", "ms, new images", "ms, one batch", "images a second"), rows)


def _ways(file: str) -> str:
    rows = [
        (
            row["way"],
            "did not run" if row["ratio"] is None else f"{row['ratio']:.2f}",
            row.get("why", ""),
        )
        for row in _read(file)["ways"]
    ]
    return _table(("way", "seconds an image / train.py's", ""), rows)


def archive() -> str:
    """How all images of the release were decoded, in tens of thousands."""
    found = _read("archive_size.json")
    rows = [
        (f"{step['images']:,}", f"{step['seconds']:.0f}", f"{step['mb']}", f"{step['worker_mb']}")
        for step in found["decoding"]
    ]
    table = _table(("images decoded", "seconds", "MB of the program", "MB of a worker"), rows)
    rest = (
        f"The table of {found['images']:,} images was read in {found['table']['seconds']:.1f} s, all "
        f"images decoded in {found['decoded']['seconds']:.0f} s, and the first batch was there "
        f"{found['first_batch']['seconds']:.1f} s after the learner was built."
    )
    return f"{table}\n\n{rest}"


def _reached(row: dict[str, Any]) -> bool:
    higher = row["better"] == "higher"
    return row["value"] >= row["bar"] if higher else row["value"] <= row["bar"]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _read(name: str) -> Any:
    return json.loads((DOCS / name).read_text(encoding="utf-8"))
