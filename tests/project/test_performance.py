"""`make bench`: which metrics it measures and writes, and what its exit status is."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy.stats import binomtest
from support import ROOT, STARTER

from benchmarks import __main__ as bench
from benchmarks import copies, learning, table, timing
from benchmarks.metric import Metric, below
from benchmarks.ood_images import measure as measuring
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor


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
        (Metric("just as fast", 1, 1, "higher"), 0),
        (Metric("just as long", 1, 1, "lower"), 0),
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


def test_table_marks_missed_targets(monkeypatch, tmp_path):
    """A metric that misses its target is marked; ceilings have none and are not counted."""
    rows = [("a | b", 1234.5, 1000, "higher"), ("c", 1.5, 1, "lower"), ("d", 2, None, "higher")]
    rows += [("e", 1, 1, "lower"), ("f", 0.5, 1, "higher")]
    keys = ("name", "value", "target", "better")
    written = [dict(zip(keys, row, strict=True), machine="a machine") for row in rows]
    (tmp_path / "performance.json").write_text(json.dumps(written))
    monkeypatch.setattr(table, "DOCS", tmp_path)
    assert table.metrics().splitlines() == [
        "On a machine; 2 of 4 targets reached.",
        "",
        "| metric | measured | target |  |",
        "|---|---|---|---|",
        "| a \\| b | 1,234 | at least 1000 |  |",
        "| c | 1.5 | at most 1 | missed |",
        "| d | 2 | ceiling |  |",
        "| e | 1 | at most 1 |  |",
        "| f | 0.5 | at least 1 | missed |",
    ]


def test_missed_targets_are_printed(measure, capsys):
    """Each line has the value, the target with its direction, and whether it is missed."""
    metrics = [Metric("speed", 0.5, 1, "higher"), Metric("seconds", 0.5, 1, "lower")]
    measure(on_any_images=(part_with(*metrics),))
    _, missed, reached = capsys.readouterr().out.splitlines()
    assert missed.split() == ["speed", "0.50", ">=", "1", "MISSED"]
    assert reached.split() == ["seconds", "0.50", "<=", "1"]


def test_times_of_steps_tell_new_batches_from_a_repeated_one(monkeypatch):
    """A new batch and the first one take turns, and the time is that of the step they are for."""
    monkeypatch.setattr(learning.torch.cuda, "is_available", lambda: False)
    now = 0.0
    monkeypatch.setattr(learning, "time", SimpleNamespace(perf_counter=lambda: now))
    turns, batches = learning.Turns([(0,), (1,), (2,)], turns=2), []
    for batch in turns:
        batches.append(*batch)
        now += 1 if batch == (0,) else 5
    assert len(turns) == len(batches)
    assert batches == [0, 1, 0, 2, 0]
    assert turns.seconds == {"fresh": [5, 5], "repeated": [1, 1]}


def test_interval_of_a_share_is_wilsons():
    """The interval of the share of rejected images is SciPy's, also where all are rejected."""
    for rejected, images in ((150, 160), (160, 160), (0, 7)):
        found = measuring.wilson(rejected, images)
        expected = binomtest(rejected, images).proportion_ci(method="wilson")
        assert found == pytest.approx(list(expected), abs=1e-6)


def test_verdicts_on_other_images_are_counted():
    """Rejected and warned images are counted apart, and the share is that of all kinds."""
    verdicts = [Verdict(), Verdict("no"), Verdict(None, ("turned",)), Verdict("no")]
    counted = measuring.counts(verdicts)
    assert counted == {"images": 4, "rejected": 2, "warned": 1}
    other = {"images": 6, "rejected": 6, "warned": 0}
    found = measuring.report({"text": counted, "noise": other}, {"as it is": other})
    assert (found["images"], found["rejected_share"]) == (10, 0.8)
    assert found["chest_transforms"] == {"as it is": other}


def test_copies_are_compared_with_the_small_images(tmp_path):
    """A copy that has the same pixels moves nothing; others move, by at most the largest."""
    names = ("chest_rg1.png", "chest_drr.png")
    for folder in ("small", "full"):
        (tmp_path / folder / "images").mkdir(parents=True)
        for name in names:
            shutil.copy(ROOT / "examples" / name, tmp_path / folder / "images")
    (tmp_path / "full" / "images" / names[1]).unlink()
    found = copies.measure(Predictor(STARTER), tmp_path / "small", tmp_path / "full")
    same = found.pop("full size")
    assert same == {"images": 1, "mean": 0, "largest": 0, "flags_changed": 0}
    assert all(0 < change["mean"] < change["largest"] < 1 for change in found.values())
    assert found["JPEG, quality 50"]["mean"] > found["JPEG, quality 90"]["mean"]


def test_ratio_is_the_median_of_rounds():
    """Both sides are measured in each round, and the first round is not counted."""
    ours, theirs = iter([9, 2, 30, 4]), iter([9, 1, 10, 4])
    assert timing.ratio(lambda: next(ours), lambda: next(theirs), rounds=3) == 2
