"""docs/performance.md and what it is made of."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import timing
from benchmarks.figure import Figure

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("file", ["performance.json", "performance_gpu.json"])
def test_measured_figures_have_the_agreed_keys(file):
    """Each is a list of objects with five keys, each of its kind."""
    rows = json.loads((DOCS / file).read_text())
    assert rows
    for row in rows:
        assert set(row) == {"what", "value", "bar", "better", "machine"}
        assert row["better"] in ("higher", "lower")
        assert isinstance(row["value"], float | int)
        assert isinstance(row["bar"], float | int)
    assert len({row["what"] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("better", "value", "reached"),
    [("higher", 2, True), ("higher", 0.5, False), ("lower", 0.5, True), ("lower", 2, False)],
)
def test_a_missed_bar_ends_with_status_1(better, value, reached, monkeypatch, tmp_path):
    """The exit status tells whether every bar was reached; the figures are written either way."""

    def part(data: Path, model: Path) -> list[Figure]:
        return [Figure("speed", value, 1, better)]

    monkeypatch.setattr(bench, "PARTS", (part,))
    output = tmp_path / "performance.json"
    monkeypatch.setattr("sys.argv", ["benchmarks", "--output", str(output)])
    assert bench.main() == (0 if reached else 1)
    assert json.loads(output.read_text())[0]["value"] == value


def test_some_parts_are_written_only_where_that_is_asked_for(monkeypatch, tmp_path):
    """What some parts gave never takes the place of the whole."""

    def part(data: Path, model: Path) -> list[Figure]:
        return [Figure("speed", 2, 1, "higher")]

    part.__module__ = "benchmarks.some"
    monkeypatch.setattr(bench, "PARTS", (part,))
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", "some.part"])
    assert bench.main() == 0
    assert not (tmp_path / "docs").exists()
    monkeypatch.setattr("sys.argv", ["benchmarks", "--output", str(tmp_path / "some"), "some.part"])
    assert bench.main() == 0
    assert json.loads((tmp_path / "some").read_text())[0]["what"] == "speed"


def test_a_ratio_is_of_turns():
    """Ours and theirs are measured one after the other, and the median counts."""
    ours, theirs = iter([9, 2, 30, 4]), iter([9, 1, 10, 4])
    assert timing.ratio(lambda: next(ours), lambda: next(theirs), rounds=3) == 2
