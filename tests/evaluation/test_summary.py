"""The terminal summary and the formats that it shares with the card and the report."""

import pytest
from support import measured

from cxr.evaluation import form, summary
from cxr.model.metrics import Estimate
from cxr_labels import LABELS, NO_FINDING

HALF = Estimate(value=0.5, ci95=(0.25, 0.75))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (form.number(0.7395), "0.740"),
        (form.number(0.0), "0.000"),
        (form.number(None), "–"),
        (form.percent(0.5875), "58.8 %"),
        (form.percent(0.0), "0.0 %"),
        (form.percent(None), "–"),
        (form.count(2866), "2,866"),
        (form.count(0), "0"),
        (form.count(None), "–"),
        (form.images(1), "1 image"),
        (form.images(2866), "2,866 images"),
        (form.estimate(HALF), "0.500 (0.250–0.750)"),
        (form.estimate(HALF, "percent"), "50.0 % (25.0–75.0)"),
        (form.estimate(HALF, "in_percent"), "50.0 (25.0–75.0)"),
        (form.estimate(Estimate(value=0.5)), "0.500"),
        (form.estimate(Estimate(value=0.5), "percent"), "50.0 %"),
        (form.estimate(Estimate(value=0.5), "in_percent"), "50.0"),
        (form.estimate(None, "percent"), "–"),
        (form.display("Pleural_Thickening"), "Pleural thickening"),
        (form.display("Cough"), "Cough"),
    ],
)
def test_metric_is_written_in_its_format(shown, text):
    """Numbers have three digits, percentages one, counts commas; what is undefined is a dash."""
    assert shown == text


def test_summary_has_each_metric_in_its_column_beside_its_control():
    """One row per label, then the means, the accuracy and the localisation with their controls."""
    full = measured.full(images_of_trained_patients=1234, notes=["One.", "Two."])
    lines = summary.table(full).split("\n")
    assert lines[:5] == [
        "",
        "1,543 images of 320 patients measured, 1,234 of them of patients that training saw",
        "Note: One.",
        "Note: Two.",
        "",
    ]
    assert lines[5].split() == (
        ["finding", "images", "AUROC", "(95", "%", "interval)", "ECE", "sens.", "spec."]
    )
    for label, line in zip(LABELS, lines[6:], strict=False):
        found = full.findings[label]
        low, high = found.auroc.ci95
        auroc = [f"{found.auroc.value:.3f}", f"({low:.3f}–{high:.3f})"]
        others = [
            f"{one.value:.3f}" if one else "–"
            for one in (found.ece, found.sensitivity, found.specificity)
        ]
        name = label.split()
        assert line.split() == [*name, str(found.positives), *auroc, *others]
        assert len(line) == len(lines[5])
    floor = full.baselines
    heat, box = full.localisation.heatmaps, full.localisation.constant_box
    assert lines[21:] == [
        "",
        f"mean AUROC of the 14 findings  {form.estimate(full.mean_auroc)}; from sex, age and view "
        f"alone {floor.metadata_only_mean_auroc:.3f}",
        f"mean calibration error         {form.estimate(full.mean_ece)} at NIH's prevalence; "
        f"{full.mean_ece_if_calibrated:.3f} if perfectly calibrated",
        f"accuracy over 15 labels        {full.accuracy_multi:.3f}; predicting nothing "
        f'{floor.predict_nothing:.3f}, always "No Finding" {floor.always_no_finding:.3f}',
        f"heatmap points into the box    {heat.pointing.value:.3f} of 151 boxes; a constant place "
        f"{box.pointing.value:.3f}",
        f"box drawn with IoU over 0.3    {heat.iou.above['0.3'].value:.3f}; a constant box "
        f"{box.iou.above['0.3'].value:.3f}",
    ]


def test_summary_without_boxes_has_no_line_on_them():
    """Undefined metrics are dashes, and localisation that was not measured is left out."""
    lines = summary.table(measured.nothing()).split("\n")
    row = next(line for line in lines if line.startswith(NO_FINDING))
    assert row.split() == ["No", "Finding", "0", "–", "–", "–", "–"]
    assert lines[-1].startswith("accuracy over 15 labels        1.000; predicting nothing 1.000")
    assert lines[-3].startswith("mean AUROC of 0 findings       –; from sex, age and view alone –")
