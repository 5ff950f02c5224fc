"""The table of all findings, and the prevalence that it is stated at."""

import pytest
from support import IMAGE
from support.page import OTHER, answer, choose, column, listed, rounded, scores

from cxr.inference.prevalence import shares_at, thresholds_at
from cxr.web.page import one_image
from cxr.web.recent import RecentPredictions
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

# All findings.


def test_table_holds_all_in_order(viewer, predictor):
    """Most likely first: probability, threshold, flag, prevalence and a sentence of each."""
    found = predictor.analyze(IMAGE)
    assert list(listed(viewer)) == [DISPLAY[label] for label in found.ranked()]
    assert listed(viewer) == rounded(found.probabilities)
    shares = dict(zip(LABELS, shares_at(predictor.config, "nih"), strict=True))
    assert column(viewer, 5) == rounded(shares)
    marks = {DISPLAY[label]: "yes" if label in found.flagged else "no" for label in FINDINGS}
    assert column(viewer, 4) == {**marks, DISPLAY[NO_FINDING]: "never flagged"}
    assert "A spot in the lung that is wider than 3 cm." in viewer.locator("#table").inner_text()


def test_table_gives_each_threshold_at_the_stated_prevalence(viewer, predictor):
    """Beside each score stands what flags it, restated as the score is."""
    wanted = dict(zip(LABELS, thresholds_at(predictor.config, "nih"), strict=True))
    limits = rounded({label: p for label, p in wanted.items() if label != NO_FINDING})
    assert column(viewer, 3) == {**limits, DISPLAY[NO_FINDING]: "none"}


def test_threshold_filters_the_sorted_list(viewer):
    """Moving the threshold leaves the findings at or above it, most likely first."""
    viewer.locator("#threshold input[type=range]").fill("10")
    kept = [float(score.split()[0]) for score in listed(viewer).values()]
    assert kept == sorted(kept, reverse=True)
    assert min(kept) >= 10
    assert f"{len(kept)} of 15 listed." in viewer.locator("#threshold").inner_text()
    assert viewer.locator("#threshold input[type=number]").input_value() == "10"
    scores = viewer.locator("#table tbody tr").evaluate_all("all => all.map(r => r.dataset.score)")
    viewer.locator("#threshold input[type=number]").fill(scores[3])
    assert len(listed(viewer)) == 4  # the score that is just reached among them
    slider = viewer.locator("#threshold input[type=range]")
    assert float(slider.input_value()) == round(float(scores[3]))
    viewer.locator("#threshold input[type=number]").fill("99.5")
    assert viewer.get_by_text("No score reaches that.").is_visible()
    viewer.locator("#threshold input[type=number]").fill("0")
    assert len(listed(viewer)) == len(LABELS)


def test_threshold_holds_for_scores_that_are_stated_anew(page, predictor):
    """After a change of the prevalence the list is still filtered."""
    answer(page)
    page.locator("#threshold input[type=number]").fill("20")
    page.get_by_label("the model's training images").check()
    page.locator("#meaning").get_by_text("those that the model was trained on").wait_for()
    wanted = rounded(scores(predictor, IMAGE, "training"))
    assert listed(page) == {k: v for k, v in wanted.items() if float(v.split()[0]) >= 20}


# The prevalence.


def test_prevalence_chosen_on_the_page_restates_the_scores(page, predictor):
    """The training images' prevalence changes the scores and the sentence on what they mean."""
    answer(page)
    label, meaning = page.locator("#label").inner_text(), page.locator("#meaning")
    assert "in the mix of NIH's 112,120." in meaning.inner_text()
    assert listed(page) == rounded(scores(predictor, IMAGE, "nih"))
    choose(page, "Mass")
    page.get_by_label("the model's training images").check()
    meaning.get_by_text("in the mix of those that the model was trained on").wait_for()
    assert page.locator("#label").inner_text() != label
    assert listed(page) == rounded(scores(predictor, IMAGE, "training"))
    assert "Heatmap for: Mass." in page.locator("#viewer-caption").inner_text()
    pressed = page.locator("#label [aria-pressed=true]")
    assert pressed.evaluate_all("bars => bars.map(b => b.dataset.finding)") == ["Mass"]


def state(page, text: str) -> None:
    """Writes a prevalence of one's own."""
    field = page.locator("#prevalence input[type=text]")
    field.fill(text)
    field.press("Enter")


def test_own_prevalence_is_stated_and_kept(page, predictor):
    """The reader's own share changes the scores, also those of the next image."""
    answer(page)
    state(page, "Effusion=0.3")
    page.locator("#meaning").get_by_text("but with Effusion=0.3").wait_for()
    assert listed(page) == rounded(scores(predictor, IMAGE, "Effusion=0.3"))
    page.locator("#examples button").nth(1).click()
    page.wait_for_function("document.querySelector('canvas').width === 768")
    assert listed(page) == rounded(scores(predictor, OTHER, "Effusion=0.3"))


def test_control_shows_the_prevalence_of_the_scores(page):
    """Writing chooses one's own, leaving nothing there gives the choice back, and what was written
    is stated again when one's own is chosen again."""
    answer(page)
    chosen, field = (
        page.locator("#prevalence input:checked"),
        page.locator("#prevalence [type=text]"),
    )
    assert chosen.get_attribute("value") == "nih"
    field.press_sequentially("x")
    assert chosen.get_attribute("value") == "own"
    field.fill("")
    field.blur()
    assert chosen.get_attribute("value") == "nih"
    page.locator("#prevalence input[value=own]").check()
    assert field.evaluate("field => field === document.activeElement")
    state(page, "mass = 0.1")
    page.locator("#meaning").get_by_text("but with Mass=0.1").wait_for()
    assert (chosen.get_attribute("value"), field.input_value()) == ("own", "Mass=0.1")
    page.get_by_label("NIH's 112,120 images").check()
    page.locator("#meaning").get_by_text("in the mix of NIH's 112,120.").wait_for()
    page.locator("#prevalence input[value=own]").check()
    page.locator("#meaning").get_by_text("but with Mass=0.1").wait_for()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Effusion=0,3", "write shares with a decimal point, such as 'Effusion=0.3'"),
        ("about half", "The prevalence 'about half' is not understood"),
        ("Cough=0.1", "The label 'Cough' is not one of the 15 known labels"),
    ],
)
def test_nonsense_gets_a_message_and_leaves_no_scores(page, predictor, text, message):
    """The scores of the prevalence before are gone, until one that is understood follows."""
    answer(page)
    state(page, text)
    wrong = page.locator("#prevalence-problem")
    wrong.get_by_text(message).wait_for()
    page.locator("#label").get_by_text("No scores are shown").wait_for()
    assert listed(page) == {}
    assert "%" not in page.locator("#label").inner_text() + page.locator("#meaning").inner_text()
    assert page.locator("#prevalence input[type=text]").input_value() == text
    assert page.locator("#prevalence input[value=own]").is_checked()
    page.get_by_label("NIH's 112,120 images").check()
    page.locator("#meaning").get_by_text("in the mix of NIH's 112,120.").wait_for()
    assert listed(page) == rounded(scores(predictor, IMAGE, "nih"))
    assert not wrong.is_visible()


def test_image_is_answered_beside_nonsense_for_a_prevalence(predictor):
    """Whatever a client sends for it, an image is answered: at the default, with the message."""
    show = one_image._shower(predictor, RecentPredictions(predictor, 60))
    *_, stated, wrong = show(str(IMAGE), "about <b>half", {})
    assert stated == "nih"
    assert "&#x27;about &lt;b&gt;half&#x27; is not understood" in wrong
