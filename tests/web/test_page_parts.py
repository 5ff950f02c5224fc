"""What the page's functions make of a prediction: captions, bars, rows, records and messages."""

import base64
import dataclasses
import html
import io
import re

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import IMAGE, STARTER

from cxr.inference.predictor import Predictor
from cxr.model import metrics
from cxr.model.examples import ExampleImage
from cxr.model.resolve import FROM_CACHE, Model
from cxr.web import interface
from cxr.web.page import downloads, findings_list, intake, one_image, several_images, viewer
from cxr.web.page.finding_words import finding, sentence
from cxr.web.recent import RecentPredictions
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def english(text: str) -> str:
    """HTML as an English reader sees it."""
    text = re.sub(r'<span lang="zh-CN">.*?</span>', "", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


@pytest.fixture(scope="module")
def analyzed(predictor):
    return predictor.analyze(IMAGE)


@pytest.fixture(scope="module")
def show(predictor):
    """Image on the page -> everything that the page shows of it."""
    return one_image._shower(predictor, RecentPredictions(predictor, 60))


# The viewer.

PLACES = [
    ["upper left", "upper middle", "upper right"],
    ["left middle", "middle", "right middle"],
    ["lower left", "lower middle", "lower right"],
]


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (7, 10)])
def test_caption_names_the_third_in_which_the_heatmap_peaks(rows, columns):
    """Upper, middle or lower; left, middle or right: as seen by the reader."""
    for row, column in np.ndindex(rows, columns):
        heatmap = np.zeros((rows, columns), np.float32)
        heatmap[row, column] = 1
        place = PLACES[3 * row // rows][3 * column // columns]
        assert english(viewer._caption(heatmap, "Nodule", True)) == (
            f"Heatmap for: Nodule. It peaks in the {place} of the image."
        )


def test_browser_gets_the_heatmap_of_each_finding_row_by_row(analyzed):
    """255 at the peak and 0 elsewhere, with the numbers of rows and columns."""
    maps = np.zeros((len(LABELS), 3, 5), np.float32)
    maps[LABELS.index("Nodule"), 1, 3] = 2
    drawn = viewer.value(dataclasses.replace(analyzed, heatmaps=maps))
    assert (drawn["rows"], drawn["columns"]) == (3, 5)
    seen = {label: base64.b64decode(shown["map"]) for label, shown in drawn["findings"].items()}
    assert list(seen) == list(FINDINGS)
    assert seen["Nodule"] == bytes([0] * 8 + [255] + [0] * 6)
    assert seen["Mass"] == bytes(15)


def test_caption_of_a_flat_heatmap_names_no_place(analyzed):
    """And no box is drawn, which would stand for nothing."""
    flat = dataclasses.replace(analyzed, heatmaps=np.zeros_like(analyzed.heatmaps))
    shown = viewer.value(flat)
    for label in FINDINGS:
        assert shown["findings"][label]["boxes"] == []
        assert english(shown["findings"][label]["caption"]).startswith(
            f"Heatmap for: {DISPLAY[label]}. All of the image speaks alike"
        )


def test_record_of_a_finding_has_each_share_under_its_head():
    """Rows: this finding, all findings, the constant box; columns: the peak, the overlap."""
    measured = metrics.read(STARTER).localisation

    def shares(hits):
        return [
            f"{100 * share.value:.0f} % ({100 * share.ci95[0]:.0f} to {100 * share.ci95[1]:.0f})"
            for share in (hits.pointing, hits.overlap)
        ]

    rows = re.findall(r"<tr>(.*?)</tr>", viewer._record(measured, "Mass"))
    cells = [[english(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]
    assert cells[0] == ["Answer", "Peak lies in their box", "Box overlaps theirs (IoU > 0.3)"]
    assert [row[1:] for row in cells[1:]] == [
        shares(measured.heatmaps.findings["Mass"]),
        shares(measured.heatmaps),
        shares(measured.constant_box),
    ]
    assert "was not measured for this model" in english(viewer._record(None, "Mass"))


# Bars and table.


def test_bar_is_as_long_as_its_probability(analyzed):
    """Filled to the probability, marked at the threshold, coloured where that is reached."""
    bars = re.findall(r"<li>(.*?)</li>", findings_list.top(analyzed))
    ranked = list(analyzed.ranked().items())[: len(bars)]
    for bar, (label, probability) in zip(bars, ranked, strict=True):
        assert f'class="fill" style="width:{100 * probability:.2f}%"' in bar
        mark = re.findall(r'class="mark" style="left:(.*?)%"', bar)
        assert mark == [f"{100 * limit:.2f}" for limit in [analyzed.thresholds.get(label)] if limit]
        kind = "calm" if label == NO_FINDING else "flagged" if label in analyzed.flagged else ""
        assert f'class="{f"bar {kind}".strip()}"' in bar


def test_rows_of_flagged_findings_are_marked_and_each_is_explained(analyzed):
    """The row's colour agrees with its words, and the sentence is that of its finding."""
    rows = findings_list.rows(analyzed, dict.fromkeys(LABELS, 0.1)).split("</tr>")[:-1]
    for row, (label, probability) in zip(rows, analyzed.ranked().items(), strict=True):
        assert (' class="flagged"' in row) == (label in analyzed.flagged)
        assert f"<small>{sentence(label).html}</small>" in row
        assert f'data-score="{100 * probability:.6f}"' in row


# One image.


def test_answer_shows_the_image_alone_and_hides_the_message(show):
    """Whatever finding had been chosen for the image before."""
    problem, empty, answer, shown, chosen, *_ = show(str(IMAGE), "nih", {})
    assert problem == ""
    assert (empty["visible"], answer["visible"]) == (False, True)
    assert shown["image"].startswith("data:image/png;base64,")
    assert chosen == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("noise", "No scores for this image. This does not look like a frontal chest X-ray"),
        ("text", "This image could not be read. This file is not an image"),
        ("small", "This image could not be read. This image has 20x20 pixels"),
    ],
)
def test_rejection_says_whether_it_was_read(show, tmp_path, kind, words):
    """No answer stands beside the reason, and nothing invites to choose an image."""
    path = tmp_path / "image.png"
    if kind == "text":
        path.write_text("no image")
    else:
        side = {"noise": 300, "small": 20}[kind]
        noise = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
        Image.fromarray(noise).save(path)
    problem, empty, answer, shown, chosen, *scores = show(str(path), "nih", {})
    assert english(problem).startswith(words)
    assert (empty["visible"], answer["visible"], shown, chosen) == (False, False, None, "")
    assert scores == [gr.skip()] * 5


def test_image_that_is_taken_away_leaves_the_empty_page(show, predictor):
    """The invitation to choose one is there again; a prevalence chosen then changes nothing."""
    problem, empty, answer, shown, *_ = show(None, "nih", {})
    assert (problem, empty["visible"], answer["visible"], shown) == ("", True, False, None)
    restate = one_image._restater(predictor, RecentPredictions(predictor, 60))
    choice = gr.EventData(None, {"stated": "training"})
    assert restate(None, "nih", {}, choice) == [gr.skip()] * 5


@pytest.mark.parametrize(
    ("image", "stated", "message"),
    [
        (None, "nih", "Choose an image first."),
        (str(IMAGE), "half", "'half' is not understood"),
        (__file__, "nih", "not an image that can be read"),
    ],
)
def test_download_that_cannot_be_made_is_said(predictor, image, stated, message):
    """In a sentence of the page's own."""
    make = downloads._maker(predictor, RecentPredictions(predictor, 60), "json")
    with pytest.raises(gr.Error, match=message):
        make(image, stated, "", "en")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("overlay", "image/png"),
        ("report", "text/html"),
    ],
)
def test_download_says_what_kind_of_file_it_is(predictor, form, kind):
    """The buttons make the file that they name; no prevalence at all is NIH's."""
    make = downloads._maker(predictor, RecentPredictions(predictor, 60), form)
    assert make(str(IMAGE), "", "Mass", "en")["kind"] == kind


def test_examples_are_drawn_small_and_named_by_their_files():
    """At most 160 px a side; underscores are spaces."""
    shown = intake._button(3, ExampleImage(IMAGE, "", ""))
    assert 'data-example="3"' in shown
    assert f'<span class="name">{IMAGE.stem.replace("_", " ")}</span>' in shown
    content = re.findall(r'src="data:image/jpeg;base64,(.*?)"', shown)[0]
    with Image.open(io.BytesIO(base64.b64decode(content))) as small:
        assert max(small.size) == 160


# Several images.


def test_list_says_how_far_it_is(predictor, tmp_path, monkeypatch):
    """Of three images one, then two; the CSV grows with the table and can be saved at any time."""
    monkeypatch.setattr(several_images, "_PAUSE", 0.0)
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    looks = list(several_images._answerer(predictor)(paths, "training"))
    assert len(looks) == 3
    for done, (status, table, csv, save) in enumerate(looks, 1):
        assert table.count('<th scope="row">') == done
        assert len(csv.splitlines()) == done + 1
        assert save["visible"]
        assert "those that the model was trained on" in table
        if done < 3:
            assert f'<progress max="3" value="{done}"' in status
            assert f"{done} of 3 images" in english(status)
    assert english(looks[-1][0]) == "Done: 0 of 3 images have scores."


def test_row_has_the_warnings_of_its_image(predictor, tmp_path):
    """Beside the findings, which it has all the same."""
    with Image.open(IMAGE) as image:
        Image.fromarray(255 - np.asarray(image.convert("L"))).save(tmp_path / "inverted.png")
    *_, (status, table, _, _) = several_images._answerer(predictor)(
        [str(tmp_path / "inverted.png")], "nih"
    )
    assert "Done: 1 of 1 images have scores." in english(status)
    findings, notes = (english(cell) for cell in re.findall(r"<td>(.*?)</td>", table))
    assert findings
    assert "This image looks inverted" in notes


@pytest.mark.parametrize(("flags", "more"), [(5, ""), (6, "and 1 more")])
def test_row_names_five_findings_and_counts_the_others(flags, more):
    """Five are named, and only then counted."""
    scores = {label: 0.9 - number / 100 for number, label in enumerate(LABELS)}
    found = {"probabilities": scores, "flagged": list(LABELS[:flags])}
    items = [
        english(item) for item in re.findall(r"<li>(.*?)</li>", several_images._findings(found))
    ]
    named = [f"{finding(label).en} {100 * scores[label]:.1f} %" for label in LABELS[:5]]
    assert items == [*named, *[more][: flags - 5]]


def test_buttons_follow_the_list():
    """While it runs it can be stopped and nothing else; then it can be started again."""
    status, table, csv, start, stop, save = several_images._begin()
    assert english(status) == "Waiting for its turn…"
    assert (table, csv) == ("", "")
    assert [button["visible"] for button in (start, stop, save)] == [False, True, False]
    for ended in (several_images._stop(), several_images._end(status)):
        assert [button["visible"] for button in ended[1:]] == [True, False]
    assert several_images._end(status)[0] == ""
    assert several_images._end("<p>Done</p>")[0] == gr.skip()


# The header.


def test_header_names_the_model_and_links_its_commit():
    """Seven digits to read, all 40 in the link and its title; a folder has no commit."""
    served = Predictor(Model(STARTER, "someone/<b>chest", COMMIT, FROM_CACHE))
    shown = interface.introduction(served)
    (link,) = re.findall(r"<a (.*?)</a>", shown)
    assert re.search(rf'href="[^"]*/tree/{COMMIT}" title="{COMMIT}">{COMMIT[:7]}$', link)
    assert "<code>someone/&lt;b&gt;chest</code>" in shown
    assert english(shown).endswith(FROM_CACHE)
    assert f"({served.config.architecture}, {served.config.image_size} px," in english(shown)
    own = interface.introduction(Predictor(Model(STARTER, "starter")))
    assert "<a " not in own
    assert "cache" not in own
