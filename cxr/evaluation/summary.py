"""metrics.json as one screen of text."""

from typing import Any

from cxr_labels import FINDINGS


def table(metrics: dict[str, Any]) -> str:
    """The figures of each finding and of all, beside what answers without an image reach."""
    lines = [
        "",
        f"{metrics['n_images']:,} images of {metrics['n_patients']:,} patients measured, "
        f"{metrics['images_of_trained_patients']:,} of them of patients that training saw",
        *metrics["notes"],
        "",
        f"{'finding':<20} {'images':>6} {'AUROC':>6}   95 % interval   ECE  sens.  spec.",
        *(_finding(label, found) for label, found in metrics["findings"].items()),
        "",
        *_means(metrics),
        *_localisation(metrics),
    ]
    return "\n".join(lines)


def averaged(metrics: dict[str, Any]) -> str:
    """How many findings the mean AUROC is over: "the 14 findings" unless some have none."""
    count = metrics.get("mean_of") or len(FINDINGS)
    if count == len(FINDINGS):
        return f"the {count} findings"
    return f"{count} finding{'s' if count > 1 else ''}"


def _finding(label: str, found: dict[str, Any]) -> str:
    interval = found["auroc_ci95"]
    span = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
    return (
        f"{label:<20} {found['positives']:>6} {_share(found['auroc'])}  {span:>15} "
        f"{_share(found['ece'])} {_share(found['sensitivity'])} {_share(found['specificity'])}"
    )


def _means(metrics: dict[str, Any]) -> list[str]:
    floor = metrics["baselines"]
    interval = metrics["mean_auroc_ci95"]
    span = f"  ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    alone = _share(floor["metadata_only_mean_auroc"]).strip()
    noise = _share(metrics["mean_ece_if_calibrated"]).strip()
    over = f"mean AUROC of {averaged(metrics)}"
    return [
        f"{over:<30} {_share(metrics['mean_auroc'])}{span}; from sex, age and view alone {alone}",
        f"mean calibration error         {_share(metrics['mean_ece'])}, at NIH's prevalence; "
        f"{noise} for a perfectly calibrated model on so few images",
        f"accuracy over 15 labels        {_share(metrics['accuracy_multi'])}; predicting nothing "
        f'{floor["predict_nothing"]:.3f}, always "No Finding" {floor["always_no_finding"]:.3f}',
    ]


def _localisation(metrics: dict[str, Any]) -> list[str]:
    found = metrics.get("localisation")
    if not found:
        return []
    pointing, control = found["pointing"], found["controls"]["constant_box"]
    over, constant = (f["iou"]["thresholds"]["0.3"]["share"] for f in (found, control))
    return [
        f"map points into the box        {_share(pointing['mean'])} of {pointing['boxes']} boxes; "
        f"a constant place {control['pointing']:.3f}",
        f"box drawn with IoU over 0.3    {_share(over)}; a constant box {constant:.3f}",
    ]


def _share(value: float | None) -> str:
    return "   -  " if value is None else f"{value:6.3f}"
