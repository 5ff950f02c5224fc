"""Each part of `make bench`: which way round its ratios are, its targets, and what is better.

The parts run with a clock that only the work in question moves, so that nothing is measured.
"""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import STARTER, planted

from benchmarks import __main__ as bench
from benchmarks import evaluating, one_image, over_http, scaling, starting, timing, training
from benchmarks.child import Run


class Clock:
    """Stands for the module `time` in the benchmarks; only `takes` moves it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def takes(self, seconds: float):
        """Returns work that takes so many seconds, whatever it is given."""

        def work(*_args, **_options):
            self.now += seconds

        return work


CLOCK = Clock()
MODEL = SimpleNamespace(config=SimpleNamespace(image_size=64), analyze=CLOCK.takes(3))
PREDICTOR = {
    "one_image.Predictor": lambda _: MODEL,
    "over_http.Predictor": lambda _: MODEL,
    "unavoidable.steps": lambda *_: CLOCK.takes(2),
}
COUNTS = {"scaling._links": lambda _data, _name, count: Path(str(count))}


@contextlib.contextmanager
def app(*command: str, **_options):
    """A started app, whose address is the script's name; app.py takes 3 seconds, others 2."""
    CLOCK.takes(3 if command[0] == "app.py" else 2)()
    yield Path(command[0]).name, SimpleNamespace(pid=1)


def decoded(folder: Path, _size: int, processes: int) -> Run:
    """Decoding takes 2 s, and per image 0.1 s with one process, 0.06 s with two."""
    count = int(folder.name)
    seconds = 2 + count * (0.1 if processes == 1 else 0.06) * (1.2 if count == 4000 else 1)
    return Run(seconds, 0, 100 + count / 100, 10 + count / 200, "")


def predicted(folder: Path, _model: Path) -> Run:
    """Predicting takes 1 s, and 1/40 s per image on 1.6 cores."""
    count = int(folder.parent.name)
    return Run(1 + count / 40, 1.6 * count / 40, 100 + count / 10, 0, "")


def _filled(_learn, turns, _callbacks) -> None:
    turns.seconds.update(fresh=[1.25] * 3, repeated=[1.0] * 3)


# Part: (what stands for its work, [(value, target, better)]).
PARTS = {
    one_image.limit: (PREDICTOR, [(1.5, 1.1, "lower")]),
    over_http.request: (
        {
            **PREDICTOR,
            "apps.running": app,
            "over_http.connected": lambda _: None,
            "over_http.analyze": CLOCK.takes(3.007),
            "over_http.results": SimpleNamespace(of_prediction=lambda *_: None),
        },
        [(7, 60, "lower")],
    ),
    over_http.rate: (
        {
            "apps.running": app,
            "over_http.many_clients": lambda where, _: 40 if where == "app.py" else 90,
            "unavoidable.rate": lambda *_: 100,
        },
        [(0.4, 0.5, "higher"), (0.9, None, "higher")],
    ),
    evaluating.evaluation: (
        {
            **PREDICTOR,
            "folders.labelled": lambda data, _folder, _count: data,
            "folders.images_of": lambda _, count: [b""] * count,
            "cxr.evaluation.evaluate.evaluate": CLOCK.takes(2500),
        },
        [(1.25, 1.3, "lower")],
    ),
    evaluating.resampling: (
        {"cxr.evaluation.compute.compute": CLOCK.takes(4)},
        [(4, 5, "lower")],
    ),
    scaling.cores: (
        {
            **COUNTS,
            "scaling._build": decoded,
            "scaling._computing": lambda processes: {1: 3.0, 2: 3.2}[processes],
        },
        [(1 / 0.6, 1.8, "higher"), (1.875, None, "higher")],
    ),
    scaling.cache: (
        {
            **COUNTS,
            "scaling._build": decoded,
            "scaling._reduced": lambda *_: None,
            "scaling.machine": SimpleNamespace(cores=lambda: 1),
        },
        # (480 - 6.4) / 3936 over 0.1; 100 + 40 + 10 + 20 over 100 + 10 + 10 + 5.
        [(1.20325, 1.15, "lower"), (170 / 125, 1.1, "lower")],
    ),
    scaling.release: (
        {"child.run": lambda *_: Run(0, 0, 450, 0, "28 200\n")},
        [(28, 30, "lower"), (450, 1000, "lower"), (250, 500, "lower")],
    ),
    scaling.predict: (
        {**COUNTS, "scaling._predict": predicted, "scaling._raw": lambda *_: (50, 2.0)},
        [(0.8, 0.8, "higher"), (0.8, 0.9, "higher"), (132 / 108, 1.1, "lower")],
    ),
    starting.first_result: (
        {
            "starting._export_fastai": lambda *_: "model.pkl",
            "starting._until_result": lambda _, script, *_rest, **_o: (
                2.0 if script == "app.py" else 7.0
            ),
        },
        [(3.5, 3, "higher"), (2, 5, "lower")],
    ),
    starting.first_page: (
        {
            "apps.running": app,
            "httpx.get": lambda _: SimpleNamespace(raise_for_status=lambda: None),
        },
        [(1.5, 1.5, "lower")],
    ),
    starting.memory: (
        {
            "apps.running": app,
            "over_http.many_clients": lambda *_: None,
            "gradio_client.Client": lambda *_, **_o: SimpleNamespace(predict=lambda *_, **_o: 0),
            "child.resident": lambda _: 300.0,
        },
        [(300, 450, "lower")],
    ),
    training.cache: (
        {
            "cxr.training.pixels.build": lambda _source, names, _size, processes: CLOCK.takes(
                2 + len(names) / 50 / processes
            )()
        },
        [(50, 60, "higher")],
    ),
    training.feed: (
        {"training._epoch": lambda _: 30.0, "training._epochs": lambda _: 2.0},
        [(15, 25, "higher")],
    ),
    training.step: (
        {
            "learning.learning": lambda *_: contextlib.nullcontext(
                SimpleNamespace(dls=SimpleNamespace(train=None))
            ),
            "learning.train_on": _filled,
        },
        [(0.8, 0.95, "higher")],
    ),
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.__module__}.{part.__name__}")
def test_metrics_of_a_part_are_the_right_way_round(part, monkeypatch, tmp_path):
    """Twice the time of ours is a worse value, and worse values miss the target."""
    data = planted.make_folder(tmp_path / "data", patients=3)
    work, expected = PARTS[part]
    for module in (evaluating, over_http, starting, timing, training):
        monkeypatch.setattr(module, "time", CLOCK)
    monkeypatch.setattr(training.machine, "keep_freed_memory", lambda: None)
    for name, stand_in in work.items():
        full = name if name.startswith(("cxr.", "httpx.", "gradio")) else f"benchmarks.{name}"
        monkeypatch.setattr(full, stand_in)
    found = part(data, STARTER)
    assert [metric.value for metric in found] == pytest.approx([e[0] for e in expected], rel=1e-3)
    assert [(metric.target, metric.better) for metric in found] == [e[1:] for e in expected]
    rows = json.loads(bench.METRICS.read_text(encoding="utf-8"))
    measured = {row["name"]: row["better"] for row in rows}
    assert {metric.name: metric.better for metric in found}.items() <= measured.items()


def test_peers_are_compared_with_us(monkeypatch, tmp_path):
    """How many times as fast as a peer we are; the ceiling is what the network alone allows."""
    (tmp_path / "image.png").write_bytes(b"")
    monkeypatch.setattr(timing, "time", CLOCK)
    monkeypatch.setattr("benchmarks.one_image.Predictor", lambda _: MODEL)
    monkeypatch.setattr("benchmarks.unavoidable.steps", lambda *_: CLOCK.takes(2))
    images = [tmp_path / "image.png"] * 2
    ours, ceiling = one_image._times_faster("peer / one", CLOCK.takes(9), STARTER, images)
    assert (ours.value, ours.better) == (3, "higher")
    assert ours.target == pytest.approx(0.95 * 4.5)
    assert (ceiling.name, ceiling.value, ceiling.target) == (
        "peer / decode + resize + run",
        4.5,
        None,
    )


def test_size_on_disk_is_that_of_the_environment(monkeypatch, tmp_path):
    """All files below the environment of requirements.txt count, in MB."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_bytes(bytes(3 * 2**20))
    (tmp_path / "other").write_bytes(bytes(2**20))
    monkeypatch.setattr("benchmarks.apps.RUNTIME", tmp_path / "bin" / "python")
    (metric,) = starting.installed(tmp_path, STARTER)
    assert metric.value == pytest.approx(4, abs=0.1)
    assert (metric.target, metric.better) == (700, "lower")


def test_every_part_is_tested_here():
    """A new part needs a line in PARTS; the peers and the environment have their own tests."""
    own = {one_image.fastai, one_image.torchxrayvision, starting.installed}
    assert {*bench.ON_CHEST_XRAYS, *bench.ON_ANY_IMAGES} == PARTS.keys() | own
