"""The HTML report: whole, self-contained, escaped, with the numbers of metrics.json."""

import base64
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import measured
from support.html import HOSTILE, Parsed

from cxr.evaluation import form, html_report
from cxr_labels import LABELS


@pytest.fixture
def context(tmp_path: Path) -> html_report.Context:
    """Every figure, each one pixel large."""
    files = {}
    for name in html_report._PLOTS:
        files[name] = tmp_path / f"{name}.png"
        Image.new("L", (1, 1)).save(files[name])
    return html_report.Context("models/starter", "images", "2025-11-23", files)


def cases(image: str = "00000001_000.png", labels=("Mass",)) -> dict[str, Any]:
    """One image of each kind for each label."""
    picture = html_report.thumbnail(np.zeros((8, 8), np.uint8), np.zeros((2, 2)), [])
    case = html_report.Case(image, 0.123, True, labels, picture)
    return {
        label: {html_report.FOUND: [case], html_report.FALSE_ALARM: [case], html_report.MISSED: []}
        for label in LABELS
    }


def numbers(part: Any, skip: tuple[str, ...] = ()) -> list[float]:
    """Every fraction in a dumped part of the metrics, but for those under the keys to skip."""
    if isinstance(part, dict):
        return [n for key, value in part.items() if key not in skip for n in numbers(value, skip)]
    if isinstance(part, list | tuple):
        return [n for value in part for n in numbers(value, skip)]
    return [part] if isinstance(part, float) else []


def test_report_is_whole_html(context):
    """Every tag is closed in its order; one h1; headings skip no level; ids are unique."""
    parsed = Parsed(html_report.render(measured.full(), cases(), context))
    assert parsed.misnested == []
    assert parsed.open == []
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in parsed.all("a")} <= {f"#{name}" for name in ids}


def test_report_needs_no_network(context):
    """Nothing is fetched: images are data URIs, no script, no import, no address in the style."""
    html = html_report.render(measured.full(), cases(), context)
    parsed = Parsed(html)
    assert all(str(image["src"]).startswith("data:image/") for image in parsed.all("img"))
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert not re.search(r"https?:|@import|url\(|//[a-z]", html.split("</style>")[0])
    assert not re.search(r"(?:src|href|srcset|action|poster)=\"(?!data:|#)", html)


def test_every_picture_is_there_and_described(context):
    """Each figure and each image's image opens and has an alternative text of its own kind."""
    images = Parsed(html_report.render(measured.full(), cases(), context)).all("img")
    assert len(images) == len(html_report._PLOTS) + 2 * len(LABELS)
    for image in images:
        assert len(str(image["alt"])) > 20
        content = base64.b64decode(str(image["src"]).split(",")[1])
        Image.open(io.BytesIO(content)).load()
    assert {image["alt"] for image in images} >= set(html_report._PLOTS.values())


def test_every_number_is_that_of_the_metrics(context):
    """Each figure of metrics.json stands in the report, to three digits or as a percentage."""
    metrics = measured.full(literature="Others reach 0.817.")
    text = Parsed(html_report.render(metrics, {}, context)).text
    percentages = [
        metrics.accuracy_multi,
        metrics.baselines.predict_nothing,
        metrics.baselines.always_no_finding,
        metrics.input_check.rejected_share,
        metrics.input_check.warned_share,
    ]
    for value in percentages:
        assert f"{100 * value:.1f} %" in text
    dumped = metrics.model_dump()
    groups = [g for by in ("sex", "age", "view") for g in dumped["subgroups"][by].values()]
    shown = [n for group in groups for n in numbers(group["findings"], ("false_negative_rate",))]
    shown += [n for group in groups for n in numbers(group, ("findings",))]
    # Reliability stands in its plot. Of single findings the report gives no overlap thresholds,
    # and of the controls only two metrics.
    located = dumped["localisation"]
    shown += [n for answer in located.values() for n in numbers(answer, ("findings",))]
    for label, found in located["heatmaps"]["findings"].items():
        constant = located["constant_box"]["findings"][label]
        shown += numbers([found["pointing"], found["iou"]["mean"], found["iobb"]["mean"]])
        shown += [constant["pointing"]["value"], constant["iou"]["mean"]["value"]]
    rest = numbers(dumped, ("reliability", "subgroups", "input_check", "localisation"))
    shown += [value for value in rest if value not in percentages]
    assert len(shown) > 800
    words = set(re.findall(r"\d\.\d{3}\b", text))
    assert {f"{value:.3f}" for value in shown} <= words
    texts = metrics.subgroups.gaps[0].sentence + metrics.literature
    assert words <= {f"{value:.3f}" for value in shown} | set(re.findall(r"\d\.\d{3}", texts))


def test_hostile_texts_are_shown_not_obeyed(context):
    """An image's name, labels, notes, model and data that are HTML stay text."""
    metrics = measured.full(notes=[HOSTILE], split=HOSTILE, literature=HOSTILE)
    mass = metrics.findings["Mass"].model_copy(update={"why": HOSTILE})
    gaps = [metrics.subgroups.gaps[0].model_copy(update={"sentence": HOSTILE})]
    changed = {"findings": metrics.findings | {"Mass": mass}}
    changed["subgroups"] = metrics.subgroups.model_copy(update={"gaps": gaps})
    metrics = metrics.model_copy(update=changed)
    hostile = html_report.Context(HOSTILE, HOSTILE, HOSTILE, context.plots)
    parsed = Parsed(html_report.render(metrics, cases(HOSTILE, (HOSTILE,)), hostile))
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert not any("onerror" in attributes for _, attributes in parsed.tags)
    assert len(parsed.all("img")) == len(html_report._PLOTS) + 2 * len(LABELS)
    assert parsed.misnested == []
    assert parsed.text.count(HOSTILE) >= 8


def test_name_that_is_not_utf8_can_be_written(context):
    """A file name with a byte that is no letter does not break the report."""
    html = html_report.render(measured.full(), cases("image_\udc80.png"), context)
    assert "image_?.png" in html.encode("utf-8").decode("utf-8")


def test_nothing_measured_still_reports_with_the_reason(context):
    """All figures undefined: dashes and reasons, never None or nan."""
    metrics = measured.nothing()
    text = Parsed(html_report.render(metrics, {}, context)).text
    assert not re.search(r"\b(None|nan|null|Undefined|undefined\))\b", text)
    assert text.count(form.ABSENT) > 200
    assert "no image carries it" in text
    assert metrics.notes[0] in text
    assert "Not measured: no image that was measured has an official box." in text
    assert "1 image of 1 patient" in text
    assert "Not measured: the model folder has no input check." in text
    assert "No gap between groups has an interval that excludes zero" in text
    assert text.count("no image is of this group") == 5
    assert "Beside the literature" not in text
    assert "Images with the best" not in text


def test_report_is_not_for_clinical_use_and_says_no_more_than_it_can(context):
    """The warning stands there, scores name their prevalence, and forbidden words are absent."""
    text = Parsed(html_report.render(measured.full(), cases(), context)).text
    assert "not for clinical use" in text
    assert "at NIH's prevalence" in text
    assert "does not mean that there is none" in text
    assert not re.search(r"\b(normal|healthy|diagnos\w+)\b", text, re.I)


def test_prevalence_is_named(context):
    """The report says at which prevalence the probabilities are."""
    metrics = measured.full(prevalence="training")
    text = Parsed(html_report.render(metrics, {}, context)).text
    assert "the prevalence of the training images" in text
    assert "are at NIH's prevalence" not in text


def test_picked_images_are_the_best_and_the_worst():
    """Found, false alarms and missed images are those that sorting by hand gives."""
    targets = np.zeros((10, 15), np.uint8)
    targets[:5, 0] = 1
    scores = np.tile(np.linspace(0.9, 0.0, 10)[:, None], 15)
    picked = html_report.pick_cases(targets, scores, np.arange(10), each=2)["Atelectasis"]
    assert picked == {"found": [0, 1], "false_alarm": [5, 6], "missed": [4, 3]}


def test_no_image_and_no_patient_is_shown_twice_for_a_label():
    """With few images of a label, none is both found and missed, and a list has one a patient."""
    targets, scores = measured.images(60)
    patients = np.arange(60) // 3
    for kinds in html_report.pick_cases(targets, scores, patients).values():
        assert not set(kinds["found"]) & set(kinds["missed"])
        for rows in kinds.values():
            assert len(rows) <= html_report.EACH
            assert len(set(patients[rows])) == len(rows)
            assert all(type(row) is int for row in rows)


@pytest.mark.parametrize("targets", [np.zeros((1, 15)), np.ones((1, 15)), np.zeros((0, 15))])
def test_picking_from_hardly_any_image(targets):
    """A single image, or none, is picked without an error, once for a label."""
    picked = html_report.pick_cases(targets, np.full(targets.shape, 0.5), np.zeros(len(targets)))
    assert set(picked) == set(LABELS)
    assert all(sum(map(len, kinds.values())) == len(targets) for kinds in picked.values())


def test_picture_of_an_image_is_small_and_shows_where_the_heatmap_lies():
    """A wide image keeps its shape, orange at the map's peak and grey elsewhere."""
    heatmap = np.zeros((10, 10), np.float32)
    heatmap[2, 7] = 1
    pixels = np.full((200, 400), 128, np.uint8)
    content = html_report.thumbnail(pixels, heatmap, [(0.7, 0.2, 0.1, 0.1)])
    picture = np.asarray(Image.open(io.BytesIO(content)), int)
    assert picture.shape == (92, 184, 3)
    assert len(content) < 10_000
    red, blue = picture[..., 0], picture[..., 2]
    assert (red - blue)[23, 138] > 60
    assert abs(red - blue)[70, 40] < 10


@pytest.mark.parametrize(("shape", "size"), [((400, 200), (92, 184)), ((2000, 1), (1, 184))])
def test_longer_side_of_an_image_decides_its_size(shape, size):
    """A tall image is as small as a wide one, and never narrower than a pixel."""
    content = html_report.thumbnail(np.zeros(shape, np.uint8), np.zeros((2, 2)), [])
    assert Image.open(io.BytesIO(content)).size == size
