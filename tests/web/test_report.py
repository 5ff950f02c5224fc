"""The report of one image: whole, self-contained, escaped, printable, with the answer's numbers."""

import base64
import io
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, ROOT, STARTER
from support.html import HOSTILE, Parsed

import cxr.inference.prevalence
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import shares_at
from cxr.inference.results import DISCLAIMER
from cxr.model import metrics
from cxr.model.resolve import Model
from cxr.web import report, space
from cxr.web.page.finding_words import finding
from cxr.web.page.translation import translated
from cxr_labels import LABELS

CALM = ROOT / "examples" / "chest_drr.png"  # an image on which nothing reaches its threshold
LANGUAGES = ("en", "zh-CN")
MADE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def analyzed(predictor) -> Prediction:
    return predictor.analyze(IMAGE)


@pytest.fixture(scope="module")
def reports(predictor, analyzed) -> dict[str, str]:
    """The report in each language."""
    return {
        language: report.render(analyzed, predictor, IMAGE.name, language, MADE)
        for language in LANGUAGES
    }


def rows(html: str) -> dict[str, list[str]]:
    """The table of the labels: {name: its cells}, in their order, plain spaces."""
    table = html.split('<table id="labels">')[1].split("</table>")[0].replace("\u00a0", " ")
    found = re.findall(r'<th scope="row">(.*?)<small>.*?</th>(.*?)</tr>', table, re.DOTALL)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in found}


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_is_whole_html(reports, language):
    """Every tag is closed in its order; one h1; the page says its language; ids are unique."""
    parsed = Parsed(reports[language])
    assert (parsed.misnested, parsed.open) == ([], [])
    assert len(parsed.all("h1")) == 1
    assert parsed.all("html")[0]["lang"] == language
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(image["alt"] for image in parsed.all("img"))


def test_report_opens_without_network_or_script(reports, browser, tmp_path):
    """Nothing but the file is asked for, every image is there, with scripts off."""
    (tmp_path / "report.html").write_text(reports["en"], encoding="utf-8")
    page = browser.new_page(java_script_enabled=False, offline=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    shown = page.locator("img").evaluate_all("images => images.map(i => i.naturalWidth)")
    page.close()
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert sum(url.startswith("file:") for url in asked) == 1
    assert len(shown) > 2
    assert all(width > 100 for width in shown)


def test_report_forbids_what_could_be_put_into_it(reports, browser, tmp_path):
    """A script, an image elsewhere and a frame that were planted in it do nothing."""
    planted = (
        "<script>document.title = 'run'</script><img src='http://127.0.0.1:9/x.png'>"
        "<iframe src='http://127.0.0.1:9/'></iframe></main>"
    )
    (tmp_path / "report.html").write_text(reports["en"].replace("</main>", planted), "utf-8")
    page = browser.new_page()
    rejected: list[str] = []
    page.on("console", lambda message: rejected.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    title = page.title()
    page.close()
    assert title != "run"
    for what in ("script", "image", "fram"):
        assert any(what in text and "Content Security Policy" in text for text in rejected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_shown_not_obeyed(analyzed, language):
    """An image's and a model's name that are HTML stay text."""
    hostile = Predictor(Model(STARTER, HOSTILE, "<b>"))
    html = report.render(analyzed, hostile, HOSTILE.replace("/", "_"), language, MADE)
    parsed = Parsed(html)
    assert {"script", "b"}.isdisjoint({tag for tag, _ in parsed.tags})
    assert not any("onerror" in attributes for _, attributes in parsed.tags)
    assert (parsed.misnested, parsed.open) == ([], [])
    assert HOSTILE in parsed.text
    assert HOSTILE.replace("/", "_") in parsed.text


@pytest.mark.parametrize("file", ["/srv/images/anna.png", "C:\\images\\anna.png", "anna.png"])
def test_only_the_files_own_name_is_told(analyzed, predictor, file):
    """Where the image lay stays unsaid."""
    text = Parsed(report.render(analyzed, predictor, file, "en", MADE)).text
    assert "anna.png" in text
    assert "images/" not in text
    assert "images\\" not in text


@pytest.mark.parametrize("stated", ["nih", "training", "Effusion=0.3"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_those_of_the_answer(predictor, language, stated):
    """Each row of the table: score, threshold, mark and prevalence, most likely first."""
    prevalence = cxr.inference.prevalence.parse(stated)
    answered = predictor.analyze(IMAGE, prevalence)
    html = report.render(answered, predictor, IMAGE.name, language, MADE)
    prediction = answered
    shares = dict(zip(LABELS, shares_at(predictor.config, prevalence), strict=True))
    words = {"en": ("yes", "no", "never flagged", "none"), "zh-CN": ("是", "否", "不作标记", "无")}
    yes, no, never, none = words[language]
    wanted = {}
    for label, score in prediction.ranked().items():
        limit = prediction.thresholds.get(label)
        wanted[finding(label).in_language(language)] = [
            f"{100 * score:.1f} %",
            none if limit is None else f"{100 * limit:.1f} %",
            never if limit is None else yes if label in prediction.flagged else no,
            f"{100 * shares[label]:.1f} %",
        ]
    found = rows(html)
    assert found == wanted
    assert list(found) == list(wanted)
    if stated == "Effusion=0.3":
        assert "Effusion=0.3" in Parsed(html).text


def test_each_flagged_finding_is_shown_where_it_lies(reports, analyzed):
    """An image each, most likely first, that is the overlay but for what JPEG loses."""
    parsed = Parsed(reports["en"])
    ranked = [name for name in analyzed.ranked() if name in analyzed.flagged]
    images = parsed.all("img")
    assert len(images) == 1 + len(ranked)
    assert len(ranked) > 1
    for label, image in zip(ranked, images[1:], strict=True):
        assert finding(label).en in str(image["alt"])
        content = base64.b64decode(str(image["src"]).split(",")[1])
        picture = np.asarray(Image.open(io.BytesIO(content)), float)
        assert np.abs(picture - analyzed.overlay(label)).mean() < 4


def test_where_nothing_is_flagged_the_likeliest_is_shown_and_said_to_be(predictor):
    """One image, the sentence, and no word that all is well."""
    answered = predictor.analyze(CALM)
    assert answered.flagged == ()
    parsed = Parsed(report.render(answered, predictor, CALM.name, "en", MADE))
    highest = max(LABELS[:-1], key=lambda label: answered.probabilities[label])
    assert len(parsed.all("img")) == 2
    assert finding(highest).en in str(parsed.all("img")[1]["alt"])
    assert "No finding reached its threshold. This does not rule out disease." in parsed.text


def test_localisation_stands_beside_its_control(reports):
    """How often boxes were right, with intervals, is what metrics.json says."""
    measured = metrics.read(STARTER).localisation
    text = Parsed(reports["en"]).text.replace("\u00a0", " ")
    for one in (measured.heatmaps, measured.constant_box):
        for share in (one.pointing, one.overlap):
            low, high = share.ci95
            assert f"{100 * share.value:.0f} % ({100 * low:.0f} to {100 * high:.0f})" in text
    assert f"on {measured.heatmaps.findings['Mass'].boxes} boxes of this finding" in text
    assert f"{100 * measured.constant_box.findings['Mass'].pointing.value:.0f} %" in text


def test_control_beside_a_finding_is_that_of_its_own_boxes(reports):
    """Under a heatmap stands what a constant place reaches for that finding, not for all."""
    constant = metrics.read(STARTER).localisation.constant_box.findings
    captions = re.findall(
        r"<figcaption><strong>(.*?)</strong>.*?<small>(.*?)</small>",
        reports["en"].replace("\u00a0", " "),
    )
    notes = dict(captions)
    shown = [label for label in constant if finding(label).en in notes]
    assert len(shown) > 1
    for label in shown:
        value = f"{100 * constant[label].pointing.value:.0f} %"
        note = notes[finding(label).en]
        assert re.search(rf"the same place on every image reached {value}( \(|\.)", note)


def test_model_without_a_record_says_so(analyzed, tmp_path):
    """Where metrics.json is no such file, boxes are said to be unmeasured."""
    for name in ("config.json", "model.onnx", "input_check.npz"):
        (tmp_path / name).symlink_to(STARTER / name)
    (tmp_path / "metrics.json").write_text('{"localisation": [1e999]}')
    text = Parsed(report.render(analyzed, Predictor(tmp_path), IMAGE.name, "en", MADE)).text
    assert "does not say how often such boxes were right" in text
    assert "For this finding it was not measured" in text


def test_model_and_commit_are_named_in_full(analyzed):
    """Of a model on the Hub all 40 digits, with its AUROC and interval."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    predictor = Predictor(Model(STARTER, "someone/chest", commit))
    text = Parsed(report.render(analyzed, predictor, IMAGE.name, "en", MADE)).text
    auroc = predictor.config.metrics.mean_auroc
    low, high = auroc.ci95
    assert "someone/chest" in text
    assert commit in text
    assert f"{auroc.value:.2f} ({low:.2f} to {high:.2f})" in text


def test_date_is_in_utc(analyzed, predictor):
    """Half past midnight in Shanghai is the afternoon before."""
    made = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=8)))
    text = Parsed(report.render(analyzed, predictor, IMAGE.name, "en", made)).text
    assert "2026-03-01 16:30" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_claims_no_more_than_it_can(reports, language):
    """The disclaimer at both ends, the prevalence by name, and no forbidden word."""
    text = Parsed(reports[language]).text
    disclaimer = translated(DISCLAIMER).in_language(language)
    assert text.count(disclaimer) == 2
    assert "112,120" in text
    assert not re.search(r"\b(normal|healthy|diagnos\w+)\b|正常|健康|诊断", text, re.I)


def test_chinese_report_has_no_english_left(reports):
    """But for names and units: every word of Latin letters is one of these."""
    text = Parsed(reports["zh-CN"]).text
    latin = set(re.findall(r"[A-Za-z]{2,}", text))
    assert latin <= {"UTC", "NIH", "IoU", "AUROC", "px", "png", "chest", "rg", "starter", "tf",
                     "efficientnet", "lite"}  # fmt: skip


def test_warnings_are_said_in_the_language(predictor, tmp_path):
    """What looked odd in the file stands in the report, translated."""
    Image.open(IMAGE).convert("RGBA").save(tmp_path / "rgba.png")
    grey = np.asarray(Image.open(IMAGE).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    answered = predictor.analyze(tmp_path / "deep.png")
    assert answered.warnings
    for language in LANGUAGES:
        html = report.render(answered, predictor, "deep.png", language, MADE)
        for warning in answered.warnings:
            assert translated(warning).in_language(language) in Parsed(html).text


@pytest.mark.parametrize("size", ["A4", "Letter"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_report_prints_on_few_pages(reports, browser, tmp_path, language, size):
    """Eleven findings take three pages."""
    (tmp_path / "report.html").write_text(reports[language], encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    printed = page.pdf(format=size)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 3


def test_nothing_is_cut_in_print(reports, browser, tmp_path):
    """On the width of a page between its margins nothing sticks out, and no image is split."""
    (tmp_path / "report.html").write_text(reports["en"], encoding="utf-8")
    page = browser.new_page(viewport={"width": 703, "height": 1000})  # A4 less 12 mm a side
    page.emulate_media(media="print")
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    wide = page.locator(".scroll").evaluate_all(
        "all => all.some(e => e.scrollWidth > e.clientWidth)"
    )
    breaks = page.locator("figure").evaluate_all(
        "all => all.map(f => getComputedStyle(f).breakInside)"
    )
    page.close()
    assert not wide
    assert set(breaks) == {"avoid"}


@pytest.mark.parametrize(("scheme", "ground"), [("light", 255), ("dark", 20)])
def test_report_follows_the_readers_scheme(reports, browser, tmp_path, scheme, ground):
    """Light or dark, as the reader prefers, and 360 px wide without scrolling sideways."""
    (tmp_path / "report.html").write_text(reports["en"], encoding="utf-8")
    page = browser.new_page(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.body).backgroundColor").startswith(
        f"rgb({ground},"
    )
    page.close()


def test_space_can_make_reports():
    """The template goes to a Space with the code that fills it."""
    assert "cxr/web/report.html.jinja" in space._paths()
