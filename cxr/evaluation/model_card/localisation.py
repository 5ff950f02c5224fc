"""What the card says of the heatmaps, beside answers that never look at the image."""

from typing import Any

from cxr.evaluation.model_card.form import (
    ABSENT,
    count,
    display,
    number,
    paragraphs,
    percent,
    table,
    with_interval,
)

_OVERLAPS = {"iou": ("IoU", "mean_iou"), "iobb": ("IoBB", "mean_iobb")}
_OVERLAP = (
    "IoU: the overlap of the map's box and the radiologists', over their union; IoBB: over the "
    "map's box alone. For IoBB a tiny box at the constant place would reach, over every threshold, "
    "the share of boxes that this place points into. "
)
_THRESHOLDS = ("0.1", "0.3", "0.5")


def boxes(metrics: dict[str, Any]) -> str:
    """Pointing and overlap with the radiologists' boxes, and both controls."""
    found = metrics.get("localisation") or {}
    pointing = found.get("pointing") or {}
    if not pointing.get("boxes"):
        return "Not measured: no boxes on test images were given."
    controls = found.get("controls") or {}
    answers = [
        {**found, "pointing": pointing.get("mean"), "ci95": pointing.get("ci95")},
        controls.get("constant_box") or {},
        controls.get("random_map") or {},
    ]
    head = ("share of boxes", "this model", "constant box", "random map")
    return paragraphs(
        [
            f"Measured on {count(pointing.get('boxes'))} boxes that radiologists drew on test "
            "images. Pointing: the highest point of the finding's heatmap lies in the box. "
            + (_OVERLAP if any(found.get(key) for key in _OVERLAPS) else "")
            + "Two answers that never look at the image stand beside it: for each finding the place "
            "or box that suits most training boxes, and a random one, whose pointing is the share "
            "of the image that the boxes cover.",
            table(head, _rows(answers)),
            _by_finding(found),
        ]
    )


def _rows(answers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows = [("pointing", *(with_interval(a, "pointing", percent, "ci95") for a in answers))]
    for key, (name, mean) in _OVERLAPS.items():
        rows += [
            (
                f"{name} over {threshold}",
                *(
                    with_interval(_over(a, key, threshold), "share", percent, "ci95")
                    for a in answers
                ),
            )
            for threshold in _THRESHOLDS
        ]
        rows.append((f"mean {name}", *(with_interval(a.get(key) or {}, mean) for a in answers)))
    return [row for row in rows if row[0] == "pointing" or set(row[1:]) != {ABSENT}]


def _over(answer: dict[str, Any], overlap: str, threshold: str) -> dict[str, Any]:
    """{"share", "ci95"} of the boxes that overlap by more than a threshold."""
    return ((answer.get(overlap) or {}).get("thresholds") or {}).get(threshold) or {}


def _by_finding(found: dict[str, Any]) -> str:
    pointing = (found.get("pointing") or {}).get("findings") or {}
    overlaps = {key: (found.get(key) or {}).get("findings") or {} for key in _OVERLAPS}
    constant = ((found.get("controls") or {}).get("constant_box") or {}).get("findings") or {}
    beside = (("pointing", percent), ("mean_iou", number)) if constant else ()
    present = {key: of for key, of in overlaps.items() if of}
    rows = [
        (
            display(label),
            count(figures.get("boxes")),
            percent(figures.get("pointing")),
            *(number(of.get(label, {}).get(_OVERLAPS[key][1])) for key, of in present.items()),
            *(show((constant.get(label) or {}).get(key)) for key, show in beside),
        )
        for label, figures in pointing.items()
    ]
    head = ["finding", "boxes", "pointing", *(f"mean {_OVERLAPS[key][0]}" for key in present)]
    if constant:
        head += ["constant box: pointing", "constant box: mean IoU"]
    return table(head, rows) if rows else ""
