"""The metrics as one screen of text."""

from cxr.evaluation.form import ABSENT, averaged, estimate, number
from cxr.model.metrics import Finding, Metrics


def table(metrics: Metrics) -> str:
    """The metrics of each finding and of all, beside what predictions without the image reach."""
    return "\n".join(
        [
            "",
            f"{metrics.n_images:,} images of {metrics.n_patients:,} patients measured, "
            f"{metrics.images_of_trained_patients:,} of them of patients that training saw",
            *(f"Note: {note}" for note in metrics.notes),
            "",
            f"{'finding':<20} {'images':>6}  {'AUROC (95 % interval)':<21}    ECE  sens.  spec.",
            *(_finding(label, found) for label, found in metrics.findings.items()),
            "",
            *_means(metrics),
            *_localisation(metrics),
        ]
    )


def _finding(label: str, found: Finding) -> str:
    sensitivity, specificity, ece = (
        f"{number(one.value) if one else ABSENT:>5}"
        for one in (found.sensitivity, found.specificity, found.ece)
    )
    return (
        f"{label:<20} {found.positives:>6}  {estimate(found.auroc):<21}  {ece}  {sensitivity}  "
        f"{specificity}"
    )


def _means(metrics: Metrics) -> list[str]:
    floor = metrics.baselines
    over = f"mean AUROC of {averaged(metrics.mean_of)}"
    return [
        f"{over:<30} {estimate(metrics.mean_auroc)}; from sex, age and view alone "
        f"{number(floor.metadata_only_mean_auroc)}",
        f"mean calibration error         {estimate(metrics.mean_ece)} at NIH's prevalence; "
        f"{number(metrics.mean_ece_if_calibrated)} if perfectly calibrated",
        f"accuracy over 15 labels        {number(metrics.accuracy_multi)}; predicting nothing "
        f'{number(floor.predict_nothing)}, always "No Finding" {number(floor.always_no_finding)}',
    ]


def _localisation(metrics: Metrics) -> list[str]:
    if not metrics.localisation:
        return []
    heatmaps, constant = metrics.localisation.heatmaps, metrics.localisation.constant_box
    return [
        f"heatmap points into the box    {number(heatmaps.pointing.value)} of {heatmaps.boxes} "
        f"boxes; a constant place {number(constant.pointing.value)}",
        f"box drawn with IoU over 0.3    {number(heatmaps.iou.above['0.3'].value)}; a constant box "
        f"{number(constant.iou.above['0.3'].value)}",
    ]
