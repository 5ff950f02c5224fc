"""Both languages; narrow, dark, and for keyboard and screen reader."""

import re

import numpy as np
import pytest
from support import ROOT
from support.page import Opened, answer, choose

# The languages.


def test_page_changes_its_language_without_a_reload(page):
    """The switch turns all words, Gradio's too, and back; the choice outlives the page."""
    answer(page)
    choose(page, "Mass")
    switch = page.locator("#language button")
    assert switch.nth(0).get_attribute("aria-pressed") == "true"
    switch.nth(1).press("Enter")
    page.wait_for_function("document.documentElement.lang === 'zh-CN'")
    page.locator("#image").get_by_text("胸片").first.wait_for()
    assert switch.nth(1).get_attribute("aria-pressed") == "true"
    assert page.title() == "胸片征象"
    words = page.locator(".gradio-container").inner_text()
    for chinese in ("肿块的依据", "最可能的征象", "达到阈值", "患病率", "不得用于临床", "胸腔积液"):
        assert chinese in words
    # Names of images, formats and the model stay; no sentence of the page does.
    for name in page.locator("#examples .name").all_inner_texts():
        words = words.replace(name, "")
    assert re.findall(r"[A-Z]?[a-z]+ [a-z]+ [a-z]+", words) == []
    page.reload()
    page.wait_for_selector("#examples img")
    page.locator("#introduction").get_by_text("胸片征象").wait_for()
    switch.nth(0).click()
    page.locator("#introduction").get_by_text("Findings on a chest X-ray").wait_for()
    assert (
        CHINESE.sub("", page.locator("#intake").inner_text())
        == page.locator("#intake").inner_text()
    )


def test_tabs_change_their_language_whether_opened_or_not(page):
    """Each tab's name is in the page's language, before anybody opens it."""
    for language, names in (
        ("中文", ["单张胸片", "多张胸片", "关于"]),
        ("English", ["One image", "Several images", "About"]),
    ):
        page.get_by_role("button", name=language, exact=True).click()
        page.get_by_role("tab", name=names[-1], exact=True).wait_for()
        assert page.get_by_role("tab").all_inner_texts() == names


def test_no_key_is_a_group_of_gradios_own_texts(page):
    """Gradio would show an object where the page has a label."""
    answer(page)
    for tab in ("One image", "Several images", "About"):
        page.get_by_role("tab", name=tab, exact=True).click()
        assert "[object" not in page.locator(".gradio-container").inner_text()


CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("locale", "path", "language"),
    [
        ("en-US", "/?lang=zh", "zh-CN"),
        ("zh-CN", "/?lang=en", "en"),
        ("zh-CN", "", "zh-CN"),
        ("zh-HK", "", "zh-CN"),
        ("fr-FR", "", "en"),
    ],
)
def test_language_of_address_and_browser(browser, address, locale, path, language):
    """The address wins over the browser; Chinese of any kind is Chinese here, all else English."""
    opened = Opened(browser, address, path, locale=locale)
    opened.page.wait_for_function("l => document.documentElement.lang === l", arg=language)
    label = {"en": "Chest X-ray", "zh-CN": "胸片"}[language]
    opened.page.locator("#image label").get_by_text(label, exact=True).wait_for()
    opened.close()


def test_address_wins_over_an_earlier_choice(page, address):
    """A link in Chinese opens in Chinese for a reader who once chose English."""
    page.get_by_role("button", name="English", exact=True).click()
    page.goto(f"{address}/?lang=zh")
    page.wait_for_function("document.documentElement.lang === 'zh-CN'")


def test_rejection_is_said_in_chinese(browser, address):
    """The program's own sentences reach a Chinese page in Chinese."""
    opened = Opened(browser, address, "/?lang=zh")
    opened.page.locator("#examples button").nth(2).click()
    opened.page.locator("#problem").get_by_text("这看起来不是正位胸片").wait_for()
    opened.close()


# The look.


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_page_does_not_overflow(browser, address, language, scheme):
    """At 360 px nothing has to be scrolled sideways, with an answer on the page."""
    narrow = {"viewport": {"width": 360, "height": 800}, "color_scheme": scheme}
    opened = Opened(browser, address, f"/?lang={language}", **narrow)
    answer(opened.page)
    opened.page.locator("#label [data-finding]").first.click()
    opened.page.wait_for_selector("[data-record]:visible")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    beyond = opened.page.evaluate(
        """() => [...document.querySelectorAll(".gradio-container *")].filter((part) => {
            const { left, right, width } = part.getBoundingClientRect();
            const clipped = part.closest(".unseen, .viewport, thead, .images, .name");
            return width && !clipped && (left < 0 || right > 361);
        }).map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert beyond == []
    opened.close()


def test_dark_page_is_dark(browser, address):
    """Where the system is dark, panels are, and words on them light."""
    opened = Opened(browser, address, color_scheme="dark")
    answer(opened.page)
    colours = opened.page.evaluate(
        """() => {
            const style = getComputedStyle(document.querySelector("#label"));
            return [style.backgroundColor, getComputedStyle(
                document.querySelector("#label .what")).color];
        }"""
    )
    ground, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert ground < 200 < 600 < ink
    opened.close()


def test_headings_are_in_order(viewer):
    """One first heading, and no level is left out."""
    levels = viewer.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6",
        "found => found.filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))",
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1


def test_every_control_has_a_name(viewer):
    """Buttons and fields of the tab say what they are, in the page's language alone."""
    unnamed = viewer.eval_on_selector_all(
        "#answer button, #answer input, #language button, #examples button",
        """found => found.filter((control) => {
            const of = (id) => document.getElementById(id)?.innerText;
            const name = control.innerText || control.ariaLabel
                || [...(control.labels || [])].map((label) => label.innerText).join("")
                || of(control.getAttribute("aria-labelledby"));
            return !name?.trim();
        }).map((control) => control.outerHTML)""",
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readme_shows_the_page(scheme):
    """In light and dark, in images that weigh on nobody."""
    picture = ROOT / "docs" / f"page-{scheme}.jpg"
    assert f"docs/{picture.name}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert picture.stat().st_size < 200_000
