"""Recent predictions: what the page does not compute again, and what it does not keep."""

import shutil
from dataclasses import dataclass, field

import gradio as gr
import pytest
from support import IMAGE, STARTER
from support.page import OTHER

from cxr import imaging
from cxr.inference.predictor import Predictor
from cxr.web import recent
from cxr.web.page import downloads, one_image
from cxr.web.recent import RecentPredictions


@dataclass
class Work:
    """How often an image was decoded, and how often the network ran."""

    decoded: int = 0
    run: int = 0


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Page:
    """The page's functions for one image, on a model whose work is counted."""

    predictor: Predictor
    recent: RecentPredictions
    work: Work
    chosen: dict = field(default_factory=dict)

    def show(self, path, stated="nih"):
        return one_image._shower(self.predictor, self.recent)(str(path), stated, self.chosen)

    def restate(self, path, stated):
        event = gr.EventData(None, {"stated": stated})
        restate = one_image._restater(self.predictor, self.recent)
        return restate(str(path), "nih", self.chosen, event)

    def download(self, form, path, stated="nih"):
        make = downloads._maker(self.predictor, self.recent, form)
        return make(str(path), stated, "Mass", "en")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(monkeypatch, clock) -> Page:
    predictor, work = Predictor(STARTER), Work()
    read, run = imaging.read_image, predictor.run

    def counted_read(source):
        work.decoded += 1
        return read(source)

    def counted_run(pixels):
        work.run += 1
        return run(pixels)

    monkeypatch.setattr(imaging, "read_image", counted_read)
    monkeypatch.setattr(predictor, "run", counted_run)
    return Page(predictor, RecentPredictions(predictor, 60, clock), work)


@pytest.mark.parametrize("form", ["json", "csv", "overlay", "report"])
def test_a_download_computes_nothing_again(page, form):
    """The image that is on the page is decoded once and goes through the network once."""
    page.show(IMAGE)
    assert page.download(form, IMAGE, "Effusion=0.3")["content"]
    assert page.work == Work(decoded=1, run=1)


def test_another_prevalence_computes_nothing_again(page):
    """The scores change all the same."""
    shown = page.show(IMAGE)
    restated = [page.restate(IMAGE, stated) for stated in ("training", "Effusion=0.3")]
    assert page.work == Work(decoded=1, run=1)
    tables = {scores[1] for scores in [shown[5:], *restated]}
    assert len(tables) == 3


def test_each_image_has_its_own_prediction(page):
    """Also when another visitor's image comes in between."""
    results = [page.download("csv", path)["content"] for path in (IMAGE, OTHER, IMAGE, OTHER)]
    assert results[0] != results[1]
    assert results[:2] == results[2:]
    assert page.work == Work(decoded=2, run=2)


def test_images_of_one_name_are_told_apart(page, tmp_path):
    """Gradio puts each upload into a folder of its own, and many are called image.png."""
    paths = [tmp_path / folder / "image.png" for folder in "ab"]
    for path, image in zip(paths, (IMAGE, OTHER), strict=True):
        path.parent.mkdir()
        shutil.copy(image, path)
    first, second = (page.recent.analyze(str(path), "nih") for path in paths)
    assert first.probabilities != second.probabilities
    assert page.work.run == 2


def test_rejected_images_are_not_kept(page, tmp_path):
    """A file that cannot be read is read again when it is sent again."""
    (tmp_path / "bad.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(imaging.ImageError):
            page.recent.analyze(str(tmp_path / "bad.png"), "nih")
    assert page.work.decoded == 2


def test_old_predictions_are_dropped(page, clock):
    """At the age limit, whether or not the prediction was used meanwhile."""
    page.show(IMAGE)
    clock.now = 59
    page.download("json", IMAGE)
    assert page.work.run == 1
    clock.now = 60
    page.recent.drop_old()
    assert len(page.recent) == 0
    page.download("json", IMAGE)
    assert page.work.run == 2
    clock.now = 120  # without a look in between
    page.download("json", IMAGE)
    assert page.work.run == 3


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_PREDICTIONS", 2), ("MAX_BYTES", 2 * 800 * 800), ("MAX_BYTES", 1)]
)
def test_memory_is_bounded(page, monkeypatch, tmp_path, limit, value):
    """The prediction that was used least recently goes; the newest always stays."""
    monkeypatch.setattr(recent, limit, value)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        shutil.copy(OTHER, path)
    page.show(paths[0])
    page.show(paths[1])
    page.download("json", paths[0])
    page.show(paths[2])
    before = page.work.decoded
    page.download("json", paths[2])
    assert page.work.decoded == before
    page.download("json", paths[1])
    assert page.work.decoded == before + 1
