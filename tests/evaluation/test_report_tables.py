"""Each cell of the HTML report's tables holds the metric that its row and column name."""

import base64
import html
import re

import numpy as np
import pytest
from support import measured
from support.html import Parsed

from cxr.evaluation import html_report
from cxr_labels import DISPLAY, FINDINGS, LABELS

FULL = measured.full(literature="Others reach 0.817.", images_of_trained_patients=3)
NOWHERE = html_report.Context("models/starter", "my-images", "2025-11-23", {})
LEVELS = measured.LEVELS


@pytest.fixture(scope="module")
def report():
    """The report of the full metrics, without plots and images."""
    return html_report.render(FULL, {}, NOWHERE)


def text(part: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())


def table(report: str, name: str) -> list[list[str]]:
    """The rows of the table of this name, heads first."""
    part = report.split(f'aria-label="{name}">')[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.S)
    return [[text(c) for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)] for row in rows]


def est(found) -> str:
    low, high = found.ci95
    return f"{found.value:.3f} {low:.3f} to {high:.3f}"


def test_header_says_what_was_measured(report):
    """The model, the data, the number of images and patients, the split and the date."""
    seen = Parsed(
        html_report.render(FULL.model_copy(update={"notes": ["One.", "Two."]}), {}, NOWHERE)
    ).text
    assert "Notes One. Two. " in seen
    assert "PPV and NPV are at NIH's prevalence;" in seen
    seen = Parsed(report).text
    assert "Evaluation of models/starter on my-images" in seen
    assert "on my-images , 1,543 images of 320 patients, split: patient ; 2025-11-23" in seen


def test_tiles_stand_beside_their_control(report):
    """The headline: each mean with its interval and what it is to be compared with."""
    tiles = [
        [text(cell) for cell in re.findall(r"<d[td].*?>(.*?)</d[td]>", tile)]
        for tile in re.findall(r"<div><dt>.*?</div>", report)
    ]
    heat, box = FULL.localisation.heatmaps, FULL.localisation.constant_box
    alone = f"{FULL.baselines.metadata_only_mean_auroc:.3f}"
    assert [tile[:2] for tile in tiles] == [
        ["mean AUROC of the 14 findings", est(FULL.mean_auroc)],
        ["mean average precision", est(FULL.mean_average_precision)],
        ["expected calibration error", est(FULL.mean_ece)],
        ["heatmap points into the box", est(heat.pointing)],
    ]
    assert tiles[0][2] == f"from sex, age and view alone: {alone}"
    assert f"{FULL.mean_ece_if_calibrated:.3f} for a perfectly calibrated" in tiles[2][2]
    assert tiles[3][2].endswith(f"{box.pointing.value:.3f}")


def test_means_in_the_text_are_those_of_the_metrics(report):
    """The second mean AUROC, and the calibration error with the Brier score."""
    seen = Parsed(report).text
    without = est(FULL.mean_auroc_without_pneumonia_hernia)
    assert f"Mean AUROC without Pneumonia and Hernia: {without} ." in seen
    assert (
        f"calibration error {est(FULL.mean_ece)} ({FULL.mean_ece_if_calibrated:.3f} for a perfectly"
        f" calibrated model on so few images), Brier score {FULL.mean_brier:.3f}."
    ) in seen
    assert "Of 1,550 images it rejected 7 (0.5 %) and warned of 31 (2.0 %)." in seen
    assert "Heatmaps against 151 official boxes" in seen
    assert "Others reach 0.817." in seen


def test_findings_are_in_their_rows(report):
    """The metrics of each label, with the reason for what is missing below its name."""
    heads, *rows = table(report, "Table of findings")
    assert heads[1:] == (
        ["images with it", "AUROC", "average precision", "sensitivity", "specificity", "PPV", "NPV"]
    )
    names = ("auroc", "average_precision", "sensitivity", "specificity", "ppv", "npv")
    for (label, found), row in zip(FULL.findings.items(), rows, strict=True):
        metrics = [est(m) if (m := getattr(found, name)) else "–" for name in names]
        name = f"{DISPLAY[label]} {found.why}".strip()
        assert row == [name, str(found.positives), *metrics]


def test_accuracies_are_in_their_rows(report):
    """The model at its threshold, and both constant answers."""
    floor = FULL.baselines
    assert table(report, "Table of accuracies")[1:] == [
        [name, f"{100 * value:.1f} %"]
        for name, value in (
            (f"the model, at the threshold {FULL.accuracy_threshold:.3f}", FULL.accuracy_multi),
            ("predicting nothing", floor.predict_nothing),
            ("always “No finding”", floor.always_no_finding),
        )
    ]


def test_calibration_is_in_its_columns(report):
    """At the stated prevalence and as measured."""
    heads, *rows = table(report, "Table of calibration")
    assert heads[1:4] == ["calibration error", "of a perfectly calibrated model", "Brier score"]
    assert [head.removesuffix(", as measured") for head in heads[4:]] == (
        ["share of images", "calibration error", "Brier score", "PPV", "NPV"]
    )
    for label, row in zip(LABELS, rows, strict=True):
        found = FULL.findings[label]
        raw = found.as_measured
        numbers = [found.ece_if_calibrated, found.brier, raw.share, raw.ece, raw.brier]
        numbers += [raw.ppv, raw.npv]
        shown = ["–" if value is None else f"{value:.3f}" for value in numbers]
        assert row == [DISPLAY[label], est(found.ece), *shown]


def test_thresholds_are_in_their_rows(report):
    """Each finding's threshold and what it reaches; "No Finding" has none."""
    heads, *rows = table(report, "Table of thresholds")
    assert heads == ["finding", "threshold", "sensitivity", "specificity"]
    for label, row in zip(FINDINGS, rows, strict=True):
        found = FULL.findings[label]
        reached = [est(found.sensitivity), est(found.specificity)]
        assert row == [DISPLAY[label], f"{found.threshold:.3f}", *reached]


@pytest.mark.parametrize("by", ["sex", "age", "view"])
def test_groups_are_in_their_rows_and_columns(report, by):
    """Each group in its row, and each finding with the groups side by side."""
    groups = FULL.subgroups.by()[by]
    heads, *rows = table(report, f"Groups by {by}")
    metrics = ["mean AUROC", "sensitivity", "false-negative rate", "underdiagnosis"]
    assert heads == [by, "images", "patients", *metrics]
    keys = ("mean_auroc", "sensitivity", "false_negative_rate", "underdiagnosis")
    assert rows == [
        [name, f"{g.images:,}", str(g.patients), *(est(getattr(g, key)) for key in keys)]
        for name, g in groups.items()
    ]
    heads, *rows = table(report, f"Findings by {by}")
    columns = ("images with it", "AUROC", "sensitivity")
    assert heads[1:] == [f"{name}: {column}" for name in groups for column in columns]
    for label, row in zip(FINDINGS, rows, strict=True):
        of = [group.findings[label] for group in groups.values()]
        cells = [cell for f in of for cell in (str(f.positives), est(f.auroc), est(f.sensitivity))]
        assert row == [DISPLAY[label], *cells]


def test_localisation_is_beside_its_controls(report):
    """Pointing and the overlaps of the heatmaps and of both controls."""
    located = FULL.localisation
    answers = {
        "heatmaps": located.heatmaps,
        "constant answer of each finding": located.constant_box,
        "random answer": located.random_map,
    }
    assert table(report, "Pointing game")[1:] == [
        [name, est(answer.pointing)] for name, answer in answers.items()
    ]
    for kind, title in (("iou", "IoU"), ("iobb", "IoBB")):
        heads, *rows = table(report, f"{title}: mean, and share of boxes above each threshold")
        assert heads == ["answer", "mean", *(f"above {level}" for level in LEVELS)]
        for (name, answer), row in zip(answers.items(), rows, strict=True):
            overlap = getattr(answer, kind)
            above = [est(overlap.above[level]) for level in LEVELS]
            assert row == [name, est(overlap.mean), *above]
    rows = table(report, "Localisation of each finding")[1:]
    for (label, found), row in zip(located.heatmaps.findings.items(), rows, strict=True):
        fixed = located.constant_box.findings[label]
        assert row == [
            DISPLAY[label],
            str(found.boxes),
            est(found.pointing),
            f"{fixed.pointing.value:.3f}",
            est(found.iou.mean),
            f"{fixed.iou.mean.value:.3f}",
            est(found.iobb.mean),
        ]


def test_plots_have_their_own_image_and_description(tmp_path):
    """Each plot stands in its section, with the text for those who do not see it."""
    sections = {
        "auroc": "findings",
        "roc": "findings",
        "precision_recall": "findings",
        "accuracy": "accuracy",
        "reliability": "calibration",
        "thresholds": "thresholds",
        "subgroups": "subgroups",
    }
    files = {name: tmp_path / f"{name}.png" for name in sections}
    for name, file in files.items():
        file.write_bytes(name.encode())
    context = html_report.Context("a", "b", "c", files)
    parts = html_report.render(FULL, {}, context).split('<section id="')[1:]
    shown = {}
    for part in parts:
        for name, source, alt in re.findall(
            r'aria-label="Plot: (.*?)"><img class="plot" src="(.*?)" alt="(.*?)"', part
        ):
            content = base64.b64decode(source.removeprefix("data:image/png;base64,")).decode()
            shown[content] = part.split('"')[0], name, " ".join(alt.split()[:3])
    titles = {
        "auroc": "Dot plot: AUROC",
        "roc": "ROC curves of",
        "precision_recall": "Precision against recall",
        "accuracy": "Accuracy over 15",
        "reliability": "Share of images",
        "thresholds": "Sensitivity and specificity",
        "subgroups": "Dot plots: mean",
    }
    assert shown == {
        name: (section, name.replace("_", " "), titles[name]) for name, section in sections.items()
    }


def test_images_stand_under_their_label_and_kind():
    """Each with its own probability, flag, name and labels, in the order of the cases."""
    jpeg = html_report.thumbnail(np.zeros((8, 8), np.uint8), np.zeros((2, 2)), [])
    one = html_report.Case("a.png", 0.123, True, ("Mass", "Pleural_Thickening"), jpeg)
    two = html_report.Case("b.png", 0.0456, False, (), jpeg + b"2")
    cases = {
        "Mass": {"found": [one, two], "false_alarm": [], "missed": [two]},
        "Edema": {"found": [], "false_alarm": [one], "missed": []},
    }
    report = html_report.render(FULL, cases, NOWHERE)
    part = report.split('<section id="images">')[1]
    assert re.findall("<h3>(.*?)</h3>", part) == ["Mass", "Edema"]
    shown = [
        [text(item) for item in re.findall(r"<li>(.*?)</li>", kind)]
        for kind in part.split("<h4>")[1:]
    ]
    first = "12.3 % flagged a.png Mass, Pleural thickening"
    second = "4.6 % not flagged b.png"
    assert shown == [[first, second], [], [second], [], [first], []]
    titles = re.findall("<h4>(.*?)</h4>", part)[:3]
    assert [title.split(" prob")[0] for title in titles] == ["Highest", "Highest", "Lowest"]
    assert [title.split()[-2] for title in titles] == ["with", "without", "with"]
    images = Parsed(part).all("img")
    assert [base64.b64decode(str(i["src"]).split(",")[1]) == jpeg for i in images] == (
        [True, False, False, True]
    )
    assert images[3]["alt"] == "Image a.png with the heatmap for Edema in orange"
