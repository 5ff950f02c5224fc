"""The card's YAML header, which the Hub reads.

Fields: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from typing import Any

NAME = "chest-xray-findings"

# Key in metrics.json, type by which the Hub knows the metric, name for people.
_RESULTS = (
    ("mean_auroc", "roc_auc", "mean AUROC"),
    (
        "mean_auroc_without_pneumonia_hernia",
        "roc_auc",
        "mean AUROC without Pneumonia and Hernia",
    ),
    ("mean_average_precision", "average_precision", "mean average precision"),
    ("mean_ece", "expected_calibration_error", "mean expected calibration error"),
)


def metadata(metrics: dict[str, Any]) -> str:
    """The block between the dashes, with the headline figures that are defined as eval results."""
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: fastai",
        "pipeline_tag: image-classification",
        "tags: [chest-x-ray, radiology, multi-label, onnx, fastai]",
        *_model_index(metrics),
        "---",
    ]
    return "\n".join(lines)


def _model_index(metrics: dict[str, Any]) -> list[str]:
    defined = [result for result in _RESULTS if metrics.get(result[0]) is not None]
    if not defined:
        return []
    lines = [
        "model-index:",
        f"- name: {NAME}",
        "  results:",
        "  - task:",
        "      type: image-classification",
        "      name: Multi-label classification of chest X-rays",
        "    dataset:",
        "      type: nih-chest-xray14",
        '      name: "NIH ChestX-ray14 (the images that the card names)"',
        "      split: test",
        "    metrics:",
    ]
    for key, kind, name in defined:
        lines += [f"    - type: {kind}", f"      name: {name}", f"      value: {metrics[key]:.4f}"]
    return lines
