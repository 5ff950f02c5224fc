"""The report, part by part: each number stands in its own place, with what it is a number of."""

import base64
import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, ROOT, STARTER
from support.html import Parsed

from cxr.inference.overlay import LONG_SIDE, preview
from cxr.inference.predictor import Predictor
from cxr.model import metrics
from cxr.model.metrics import Estimate, Headline
from cxr.model.resolve import Model
from cxr.web import report
from cxr.web.page.finding_words import finding, sentence
from cxr_labels import LABELS

CALM = ROOT / "examples" / "chest_drr.png"  # an image on which nothing reaches its threshold
MADE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MEASURED = metrics.read(STARTER).localisation


def plain(html: str) -> str:
    """The text of HTML with plain spaces."""
    return re.sub(r"\s+", " ", Parsed(html).text.replace("\u00a0", " ")).strip()


def percent(share: Estimate) -> str:
    low, high = share.ci95
    return f"{100 * share.value:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def facts(html: str, number: int = -1) -> dict[str, str]:
    """One of the report's lists of facts."""
    listed = html.split('<dl class="facts">')[number].split("</dl>")[0]
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", listed))


@pytest.fixture(scope="module")
def analyzed(predictor):
    return predictor.analyze(IMAGE)


@pytest.fixture(scope="module")
def english(predictor, analyzed) -> str:
    return report.render(analyzed, predictor, IMAGE.name, "en", MADE)


def test_heatmaps_of_the_model_stand_beside_those_of_the_constant_box(english):
    """Each row of the table: what is measured, the model's share, then the constant box's."""
    table = english.split('<table id="measured">')[1].split("</table>")[0]
    found = [
        [plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", table)
    ]
    model, constant = MEASURED.heatmaps, MEASURED.constant_box
    assert found == [
        ["Share of boxes", "This model", "A constant box that never looks at the image"],
        [
            "The brightest point lies in the radiologists' box",
            percent(model.pointing),
            percent(constant.pointing),
        ],
        [
            "The box overlaps the radiologists' box (IoU > 0.3)",
            percent(model.overlap),
            percent(constant.overlap),
        ],
    ]
    assert f"On {model.boxes} boxes that radiologists drew" in plain(english)


def test_note_below_a_heatmap_is_on_its_own_finding(english, analyzed):
    """Score, threshold, and how often the brightest points of this finding were right."""
    captions = dict(
        re.findall(r"<figcaption><strong>(.*?)</strong>(.*?)</figcaption>", english, re.DOTALL)
    )
    assert list(captions) == [finding(label).en for label in report.shown(analyzed)]
    measured = 0
    for label in report.shown(analyzed):
        said = plain(captions[finding(label).en])
        score, limit = analyzed.probabilities[label], analyzed.thresholds[label]
        assert said.startswith(f"{100 * score:.1f} %, threshold {100 * limit:.1f} %")
        if hits := MEASURED.heatmaps.findings.get(label):
            measured += 1
            assert f"on {hits.boxes} boxes of this finding" in said
            assert f"in {percent(hits.pointing)}; one and the same place" in said
        else:
            assert said.endswith("it was not measured how often such boxes are right.")
    assert measured


def test_flagged_findings_are_listed_with_their_scores(english, analyzed):
    """At a glance and marked in the table; that nothing reached its threshold is not said."""
    listed = re.findall(r"<li><strong>(.*?)</strong> <span>(.*?)</span></li>", english)
    assert [plain(" ".join(item)) for item in listed] == [
        f"{finding(label).en} {100 * analyzed.probabilities[label]:.1f} %, "
        f"threshold {100 * analyzed.thresholds[label]:.1f} %"
        for label in report.shown(analyzed)
    ]
    assert "No finding reached its threshold" not in english
    marked = re.findall(r'<tr class="reached-row"><th scope="row">(.*?)<small>', english)
    assert marked == [name for name, _ in listed]


def test_each_label_is_explained_in_its_row(english):
    """In one sentence, its own."""
    explained = dict(re.findall(r'<th scope="row">([^<]*)<small>(.*?)</small></th>', english))
    assert explained == {finding(label).en: sentence(label).en for label in LABELS}


def test_first_image_is_the_one_that_was_read_without_a_heatmap(predictor, tmp_path):
    """With its width and height as it was read, and how far it is reduced."""
    with Image.open(IMAGE) as image:
        image.convert("L").crop((0, 0, 800, 700)).save(tmp_path / "wide.png")
    answered = predictor.analyze(tmp_path / "wide.png")
    html = report.render(answered, predictor, "wide.png", "en", MADE)
    content = base64.b64decode(str(Parsed(html).all("img")[0]["src"]).split(",")[1])
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("L"), float)
    assert np.abs(shown - preview(answered.image.grey)).mean() < 4
    assert "800 × 700 pixels" in plain(html)
    assert f"reduced to at most {LONG_SIDE} pixels" in plain(html)


@pytest.mark.parametrize(
    ("headline", "split", "label", "value"),
    [
        (Headline(), "patient", "Mean AUROC on held-out images", "not stated"),
        (
            Headline(mean_auroc=Estimate(value=0.8)),
            "patient",
            "Mean AUROC on held-out images",
            "0.80",
        ),
        (
            Headline(mean_auroc=Estimate(value=0.8, ci95=(0.7, 0.9)), metadata_only_mean_auroc=0.6),
            "random",
            "Mean AUROC on held-out images of patients that training saw too",
            "0.80 (0.70 to 0.90); 0.60 from sex, age and view alone",
        ),
    ],
)
def test_model_is_described_as_the_page_describes_it(
    predictor, analyzed, headline, split, label, value
):
    """Its name, commit and network, and its AUROC beside interval, control and leak if known."""
    config = predictor.config.replace(metrics=headline, training={"split": split})
    served = Predictor(Model(STARTER, "someone/chest"), config)
    found = facts(report.render(analyzed, served, IMAGE.name, "en", MADE))
    assert found == {
        "Name": "someone/chest",
        "Commit": "from a folder, without a commit",
        "Network": f"{config.architecture}, {config.image_size} px",
        label: value,
    }


def test_report_is_titled_with_the_name_of_the_file(english):
    """So that the browser saves and prints it under that name."""
    assert f"<title>Findings on a chest X-ray: {IMAGE.name}</title>" in english
    assert facts(english, 1) == {
        "File": f"<bdi>{IMAGE.name}</bdi>",
        "Made (UTC)": "2026-03-01 12:30",
    }


def test_constant_box_that_was_not_measured_is_left_out(analyzed, predictor):
    """The share of the model then stands alone."""
    constant = MEASURED.constant_box.model_copy(update={"findings": {}})
    measured = MEASURED.model_copy(update={"constant_box": constant})
    said = report._pointing("Mass", measured, report._Words("en"))
    assert "the same place" not in said
    assert said.replace("\u00a0", " ").endswith(
        f"in {percent(MEASURED.heatmaps.findings['Mass'].pointing)}."
    )
