"""The tab on the model: what it shows of a model folder, and what it does with anybody's."""

import json
import os
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import ROOT, STARTER
from support.browser import chromium, opened
from support.served import app

from cxr.inference.predictor import Predictor
from cxr.model import metrics
from cxr.web import interface
from cxr.web.page import about, card, measured
from cxr.web.page.about_words import ABOUT

METRICS = metrics.read(STARTER)
MEAN_AUROC = "0.760"
INTERVAL = "(0.724 to 0.799)"
FINDING = METRICS.findings["Mass"]
SCRIPT = "<script>alert(1)</script>"

HOSTILE = """\
---
license: "><script>alert(1)</script>
---
# Card <img src="http://evil.example/1.png" onerror="document.title = 'I ran'">
<script>document.title = 'I ran'</script>
<iframe src="http://evil.example"></iframe>
<style>body { display: none }</style>

![an image](http://evil.example/2.png "title") ![local](figures/../../x.png)
[![linked](http://evil.example/3.png)](http://ok.example/)
[one](javascript:alert(1)) [two](JaVaScRiPt:alert(1)) [three](data:text/html,<script>)
[four](//evil) [five](vbscript:x) [six](../../etc/passwd) <javascript:alert(1)>
[seven](https://ok.example/?a=1&b="2")
[mail](mailto:a@ok.example) &lt;script&gt;alert(1)&lt;/script&gt; ${alert(1)} {{value}} @children
[ref]

[ref]: javascript:alert(1) "onmouseover=alert(1)"

```"><script>alert(1)</script>
<script>alert(1)</script>
```

| a | b |
|:-:|--:|
| <b onclick=alert(1)>bold</b> | `<script>` |

Setext
======
## Two
###### Six
"""

TAGS = {"h3", "h4", "h5", "h6", "p", "em", "a", "code", "pre", "div", "table", "thead", "tbody"}
TAGS |= {"tr", "th", "td", "strong", "ul", "ol", "li", "blockquote", "hr", "br"}


class Parsed(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def bare(folder: Path) -> Path:
    """A model folder with nothing but what serving needs."""
    for name in ("config.json", "model.onnx", "input_check.npz"):
        shutil.copy(STARTER / name, folder)
    return folder


# The card.


def test_card_is_plain_however_hostile_it_is():
    """Of a hostile card there is no tag and no attribute left but those of plain Markdown."""
    parsed = Parsed(card.render(HOSTILE))
    assert {tag for tag, _ in parsed.tags} <= TAGS
    for tag, attributes in parsed.tags:
        allowed = {"a": {"href", "target", "rel", "title"}, "code": {"class"}, "div": {"class"}}
        assert set(attributes) <= allowed.get(tag, {"style"})
        assert re.fullmatch(r"text-align:(left|center|right)", attributes.get("style") or "") or (
            "style" not in attributes
        )
    links = [attributes["href"] for tag, attributes in parsed.tags if "href" in attributes]
    assert links == [
        "http://ok.example/",
        "https://ok.example/?a=1&b=%222%22",
        "mailto:a@ok.example",
    ]
    assert "${alert(1)} {{value}}" in parsed.text
    assert "an image" in parsed.text


def test_headings_of_a_card_stand_below_the_pages():
    """Its first level is the page's third, and none goes below the sixth."""
    levels = [tag for tag, _ in Parsed(card.render(HOSTILE)).tags if re.fullmatch(r"h\d", tag)]
    assert levels == ["h3", "h3", "h4", "h6"]


def test_card_of_the_starter_is_whole():
    """Every table and heading of a real card is there, without its YAML."""
    text = (STARTER / "README.md").read_text(encoding="utf-8")
    parsed = Parsed(card.render(text))
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("table") == len(re.findall(r"^\| ?---", text, re.M))
    assert tags.count("h4") == len(re.findall(r"^## ", text, re.M))
    assert "pipeline_tag" not in parsed.text
    assert card.licence(text) == "apache-2.0"


@pytest.mark.parametrize(
    "header", ["", "---\nlicense: [x]\n---\n", "---\nlicense: <b>\n---\n", "---\nlicense: x\n"]
)
def test_licence_that_is_none_is_not_named(header):
    """Only a plain word in a header is a licence."""
    assert card.licence(header + "# Card\n") is None


@pytest.mark.parametrize(
    "part", ["[", "![[", "[a](b", "*a **b ", "`a", "&", "<a ", "> ", "- ", "|a" * 99 + "\n|-\n"]
)
def test_card_that_is_made_to_be_slow_is_not(part):
    """The longest card, of what parsers are slow at, is rendered in time."""
    start = time.monotonic()
    card.render((part * card.LARGEST)[: card.LARGEST])
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("content", [None, b"", b" \n", b"x" * (card.LARGEST + 1)])
def test_card_that_cannot_be_shown_is_said(tmp_path, content):
    """None, an empty one, and one that is too long: a sentence."""
    if content is not None:
        (tmp_path / "README.md").write_bytes(content)
    assert about._carder(tmp_path)() == f"<p>{ABOUT['cardless'].html}</p>"


def test_card_that_is_a_way_out_of_the_folder_is_not_read(tmp_path):
    """A link to a file elsewhere is not followed, and a pipe is not waited for."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "metrics.json")
    assert "secret" not in about._carder(folder)()
    assert metrics.find(folder) is None


def test_card_in_the_cache_of_the_hubs_client_is_read(tmp_path):
    """There a file is a link to where the client keeps contents."""
    folder = tmp_path / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "1").write_text("# Card")
    (folder / "README.md").symlink_to("../../blobs/1")
    assert "<h3>Card</h3>" in about._carder(folder)()


# The figures.


def test_metrics_of_the_starter_are_all_there():
    """Six main metrics, and all labels of which anything was measured."""
    assert len(measured.headline(METRICS)) == 6
    assert measured.headline(METRICS)[0].value.en == f"{MEAN_AUROC} {INTERVAL}"
    assert all(row.control.en for row in measured.headline(METRICS)[2:])
    assert len(measured.findings(METRICS)) == 15


def test_each_metric_stands_beside_its_own_control():
    """What predictions without the image reach is named as what it is."""
    floor, constant = METRICS.baselines, METRICS.localisation.constant_box
    assert [row.control.en for row in measured.headline(METRICS)] == [
        f"{floor.metadata_only_mean_auroc:.3f} (sex, age and view)",
        "",
        f"{constant.pointing.value:.3f} (a constant place per finding)",
        f"{constant.overlap.value:.3f} (a constant box per finding)",
        f"{METRICS.mean_ece_if_calibrated:.3f} (perfectly calibrated, on so few images)",
        f"{floor.predict_nothing:.3f} (predicting nothing), "
        f'{floor.always_no_finding:.3f} (always "No Finding")',
    ]


def test_undefined_metric_is_left_out():
    """Its row is missing, and the others stay."""
    rows = measured.headline(METRICS.model_copy(update={"mean_auroc": None, "localisation": None}))
    assert len(rows) == 3
    assert "mean AUROC" not in rows[0].what.en


def test_metric_without_interval_stands_alone():
    """Without the brackets."""
    alone = metrics.Estimate(value=METRICS.mean_auroc.value)
    rows = measured.headline(METRICS.model_copy(update={"mean_auroc": alone}))
    assert rows[0].value.en == MEAN_AUROC


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"mean_auroc": {"value": "<b>"}}'])
def test_metrics_that_cannot_be_used_are_said_to_be_missing(tmp_path, content):
    """The tab says that the model was not measured."""
    (tmp_path / "metrics.json").write_bytes(content)
    assert ABOUT["unmeasured"].html in about._measured(metrics.find(tmp_path))


# The plots.


def test_plots_are_those_that_show_numbers(tmp_path):
    """Of a folder's figures only those with known names are shown, and no image."""
    (tmp_path / "figures").mkdir()
    for name in ("roc", "batch", "image", "auroc"):
        Image.new("L", (8, 8)).save(tmp_path / "figures" / f"{name}.png")
    assert list(about.plots(tmp_path)) == ["auroc", "roc"]
    assert list(about.plots(STARTER)) == list(about.PLOTS)[:7]


def test_plots_that_are_none_are_passed_over(tmp_path):
    """No PNG, one that is too large in bytes or pixels, a folder, or a link out of the folder."""
    figures = tmp_path / "model" / "figures"
    figures.mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "outside.png")
    Image.new("1", (5000, 10)).save(figures / "auroc.png")
    Image.new("L", (8, 8)).save(figures / "roc.png", format="JPEG")
    (figures / "accuracy.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (figures / "history.png").symlink_to(tmp_path / "outside.png")
    (figures / "thresholds.png").mkdir()
    (figures / "subgroups.png").write_bytes(
        (tmp_path / "outside.png").read_bytes() + b"\0" * 3 * 2**20
    )
    assert about.plots(tmp_path / "model") == {}


def test_model_without_anything_has_its_page(tmp_path):
    """A folder without card, metrics and figures builds a page that says so."""
    demo = interface.build(Predictor(bare(tmp_path)))
    said = json.dumps(demo.config, default=str, ensure_ascii=False)
    assert ABOUT["unmeasured"].en in said
    assert ABOUT["plotless"].en in about._plotter(tmp_path)()


# In the browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with app() as address:
        yield address


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Iterator[str]:
    """The page on a model whose card, figures, metrics and very name mean harm."""
    folder = tmp_path_factory.mktemp("models") / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    bare(folder)
    (folder / "README.md").write_text(HOSTILE)
    harmful = METRICS.model_copy(update={"notes": [SCRIPT], "findings": {SCRIPT: FINDING}})
    metrics.write(folder / "metrics.json", harmful)
    (folder / "figures").mkdir()
    (folder / "figures" / "roc.png").write_text("<script>alert(1)</script>")
    with app("--model", str(folder)) as address:
        yield address


def open_tab(page) -> None:
    page.locator("#examples img").first.wait_for()
    page.get_by_role("tab").last.click()
    page.locator("#about h2").first.wait_for()


def test_page_tells_nobody_where_the_model_lies(demo):
    """Neither the page's settings nor its source name a folder of the server."""
    for path in ("/config", "/"):
        with urllib.request.urlopen(f"{demo}{path}") as answer:
            assert str(ROOT) not in answer.read().decode()


def test_tab_shows_figures_snippets_and_plots_in_time(browser, demo):
    """Figures at once, snippets with the page's own address, plots and card when asked for."""
    with opened(browser, demo, viewport={"width": 360, "height": 800}) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        open_tab(page)
        tab = page.locator("#about")
        assert f"{MEAN_AUROC} {INTERVAL}" in tab.inner_text()
        assert "ADDRESS" not in tab.inner_text()
        assert f'src="{demo}/?view=compact"' in tab.locator(".snippet").first.inner_text()
        assert f'Client("{demo}")' in tab.locator(".snippet").last.inner_text()
        assert tab.locator("a", has_text="All calls").get_attribute("href") == f"{demo}/?view=api"
        assert [url for url in asked if ".png" in url] == []
        page.locator("#about-plots > button").click()
        plots = page.locator("#about-plots img")
        plots.last.wait_for()
        page.wait_for_function(
            "[...document.querySelectorAll('#about-plots img')].every(i => i.naturalWidth > 100)"
        )
        assert plots.evaluate_all("all => all.map(i => i.alt)") == list(about.PLOTS.values())[:7]
        page.locator("#about-card > button").click()
        page.locator("#about-card table").first.wait_for()
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_tab_is_in_chinese_and_the_card_says_that_it_is_not(browser, demo):
    """For a Chinese browser all words but the card's are Chinese."""
    with opened(browser, demo, locale="zh-CN") as page:
        page.locator("#examples img").first.wait_for()
        page.get_by_role("tab", name="关于").click()
        page.locator("#about h2").first.wait_for()
        headings = page.locator("#about h2").all_inner_texts()
        assert headings == [
            ABOUT[name].zh for name in ("model", "measured", "limits", "embed", "call", "privacy")
        ]
        page.locator("#about-card > button").click()
        page.locator("#about-card table").first.wait_for()
        assert page.locator("#about-card [lang=en] h3").first.is_visible()


def test_hostile_model_is_shown_not_obeyed(browser, hostile):
    """Nothing of it runs or is fetched; its figures that are some are shown."""
    with opened(browser, hostile) as page:
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        open_tab(page)
        page.locator("#about-plots > button").click()
        page.locator("#about-plots", has_text=ABOUT["plotless"].en).wait_for()
        page.locator("#about-card > button").click()
        page.locator("#about-card h3").first.wait_for()
        assert "${alert(1)} {{value}} @children" in page.locator("#about-card").inner_text()
        assert "<img src=x onerror=alert(1)>" in page.locator("#about").inner_text()
        assert MEAN_AUROC in page.locator("#about").inner_text()
        unwanted = "#about :is(img, iframe, script, [onerror], [onclick], [href^=java i])"
        assert page.locator(unwanted).count() == 0
        assert page.title() != "I ran"
        page.wait_for_timeout(300)
        assert dialogs == []
