"""`make bench`: which metrics it measures and writes, and what its exit status is."""

import json
from pathlib import Path

import pytest
from support import ROOT

from benchmarks import __main__ as bench
from benchmarks import timing
from benchmarks.metric import Metric, below


@pytest.fixture
def measure(monkeypatch, tmp_path):
    """Runs the benchmark on given parts; returns its exit status and the metrics it wrote."""
    monkeypatch.setattr(bench, "METRICS", tmp_path / "performance.json")
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))  # which the benchmark sets for its process

    def run_parts(*words: str, on_chest_xrays=(), on_any_images=()):
        monkeypatch.setattr(bench, "ON_CHEST_XRAYS", on_chest_xrays)
        monkeypatch.setattr(bench, "ON_ANY_IMAGES", on_any_images)
        monkeypatch.setattr("sys.argv", ["benchmarks", *words])
        status = bench.main()
        return status, json.loads(bench.METRICS.read_text()) if bench.METRICS.exists() else None

    return run_parts


def part_with(*metrics: Metric, name: str = "part"):
    """A part of the benchmark that measures nothing and returns these metrics."""

    def part(data: Path, model: Path) -> list[Metric]:
        assert list((data / "images").iterdir())
        return list(metrics)

    part.__module__, part.__name__ = "benchmarks.some", name
    return part


@pytest.mark.parametrize("file", ["performance.json", "performance_gpu.json"])
def test_measured_metrics_have_the_agreed_keys(file):
    """The files that docs/performance.md is generated from are lists of metrics."""
    rows = json.loads((ROOT / "docs" / file).read_text(encoding="utf-8"))
    assert rows
    for row in rows:
        assert set(row) == {"name", "value", "target", "better", "machine"}
        assert row["better"] in ("higher", "lower")
        assert isinstance(row["value"], float | int)
        assert isinstance(row["target"], float | int | None)
    assert len({row["name"] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("metric", "status"),
    [
        (Metric("speed", 2, 1, "higher"), 0),
        (Metric("speed", 0.5, 1, "higher"), 1),
        (Metric("seconds", 0.5, 1, "lower"), 0),
        (Metric("seconds", 2, 1, "lower"), 1),
        (Metric("ceiling", 2, None, "higher"), 0),
    ],
)
def test_missed_target_is_exit_status_1(metric, status, measure):
    """The exit status says whether all targets are reached; the metrics are written either way."""
    found, (row,) = measure(on_any_images=(part_with(metric),))
    assert found == status
    assert row["value"] == metric.value


def test_target_beyond_the_ceiling_is_lowered():
    """No program can be faster than the ceiling, so a target above it becomes 0.95 of it."""
    assert below(ceiling=3, target=5) == pytest.approx(2.85)
    assert below(ceiling=6, target=5) == 5


def test_part_that_needs_chest_xrays_is_left_out_without_them(measure, capsys, tmp_path):
    """Without --images only the other parts run, and no incomplete file is written."""
    parts = {
        "on_chest_xrays": (part_with(Metric("real", 2, 1, "higher"), name="real"),),
        "on_any_images": (part_with(Metric("any", 2, 1, "higher"), name="any"),),
    }
    status, written = measure("--images", str(tmp_path / "absent"), **parts)
    assert (status, written) == (0, None)
    printed = capsys.readouterr().out
    assert "some.real: left out, because it needs the chest X-rays of --images." in printed
    assert "any  " in printed


def test_some_parts_are_written_only_to_output(measure, tmp_path):
    """The metrics of single parts never replace those of a whole run."""
    parts = {"on_any_images": (part_with(Metric("speed", 2, 1, "higher")),)}
    assert measure("some.part", **parts) == (0, None)
    output = tmp_path / "some.json"
    assert measure("--output", str(output), "some.part", **parts) == (0, None)
    assert json.loads(output.read_text())[0]["name"] == "speed"


def test_ratio_is_the_median_of_rounds():
    """Both sides are measured in each round, and the first round is not counted."""
    ours, theirs = iter([9, 2, 30, 4]), iter([9, 1, 10, 4])
    assert timing.ratio(lambda: next(ours), lambda: next(theirs), rounds=3) == 2
