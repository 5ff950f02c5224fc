"""The model card: README.md of the model folder, made from config and metrics."""

from typing import Any

import cxr_labels
from cxr.model_folder import Config

DATA_SOURCE = (
    "NIH ChestX-ray14, NIH Clinical Center "
    '(https://nihcc.app.box.com/v/ChestXray-NIHCC); Wang et al., "ChestX-ray8: Hospital-scale '
    'Chest X-ray Database and Benchmarks", CVPR 2017'
)


_FEW_FILMS = 10_000
_ENRICHED = 3.0  # times as frequent as in the full release
_IDENTITY = "the identity: scores come as the network was trained to give them. "


def render(config: Config, metrics: dict[str, Any]) -> str:
    """The card as Markdown with the Hub's YAML header."""
    parts = [
        _header(metrics),
        "# Chest film findings",
        _what_it_is(config),
        "**Not for clinical use.** It was measured on films of one hospital whose labels were read "
        'from reports by a program. A low score does not rule out disease, and "No finding" does '
        "not mean that there is none.",
        "## What it was trained on",
        _data(config, metrics),
        "## How well it tells films apart",
        _figures(metrics),
        _table(metrics),
        "## Where it looks",
        _localisation(metrics),
        "## What the scores mean",
        "A score belongs to a prevalence. The model learned at that of its training films; the "
        "demo restates each score at the prevalence of the full NIH release by moving its "
        "log-odds. The calibration is "
        + (_IDENTITY if _identity(config) else "")
        + "Thresholds were chosen on the validation patients, where sensitivity plus specificity "
        "is highest; a finding that none of them has is flagged above the score of 95 % of their "
        "films.",
        _prevalence_table(config),
        "## Use",
        _use(config),
        f"Source of the films: {DATA_SOURCE}.",
    ]
    return "\n\n".join(parts) + "\n"


def _header(metrics: dict[str, Any]) -> str:
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: fastai",
        "pipeline_tag: image-classification",
        "tags: [chest-x-ray, radiology, multi-label, onnx, fastai]",
    ]
    if metrics["mean_auroc"] is not None:
        lines += [
            "model-index:",
            "- name: chest-film-findings",
            "  results:",
            "  - task: {type: image-classification, name: Multi-label classification}",
            "    dataset: {type: nih-chest-xray14, name: NIH ChestX-ray14 (films: see card)}",
            "    metrics:",
            f"    - {{type: roc_auc, name: mean AUROC, value: {metrics['mean_auroc']:.3f}}}",
        ]
    lines.append("---")
    return "\n".join(lines)


def _what_it_is(config: Config) -> str:
    training = config.training
    few = training["films"] < _FEW_FILMS
    return (
        f"A {'small ' if few else ''}model: {config.architecture} at {config.image_size} px, "
        f"fine-tuned on {training['films']:,} films of NIH ChestX-ray14, of which "
        f"{training['train_films']:,} trained it.{_enriched(config)} For a frontal chest film it "
        'scores 14 findings and "No finding", and shows for each where on the film the evidence '
        "lies."
    )


def _enriched(config: Config) -> str:
    """A sentence where a finding is far more frequent than in the full release."""
    here, nih = config.prevalence["training"], config.prevalence["nih"]
    ratios = {label: here[label] / nih[label] for label in cxr_labels.FINDINGS}
    most = max(ratios, key=lambda label: ratios[label])
    if ratios[most] < _ENRICHED:
        return ""
    return (
        f" Its films are enriched, not NIH's mix: {cxr_labels.DISPLAY[most].lower()} is on "
        f"{_percent(here[most])} of the training films and on {_percent(nih[most])} of the full "
        "release."
    )


def _data(config: Config, metrics: dict[str, Any]) -> str:
    training = config.training
    return (
        f"{training['films']:,} films of {training['patients']:,} patients ({training['data']}), "
        f"split by `{training['split']}` with seed {training['seed']}: {training['train_films']:,} "
        f"for training, {training['valid_films']:,} for choosing, and {metrics['n_images']:,} of "
        f"{metrics['n_patients']:,} patients for the figures below. `splits.csv` says who was seen "
        f"in training. {training['boxes']}{_leak(metrics)}"
    )


def _leak(metrics: dict[str, Any]) -> str:
    shared = metrics.get("films_of_trained_patients", 0)
    if not shared:
        return ""
    return (
        f" **{shared:,} of the test films are of patients that were trained on too: the figures "
        "are too good, and do not compare with those of a split by patient.**"
    )


def _figures(metrics: dict[str, Any]) -> str:
    floor = metrics["baselines"]
    lines = [
        "| figure | value | what answers without a film reach |",
        "|---|---|---|",
        f"| mean AUROC over the 14 findings | {_with_interval(metrics, 'mean_auroc')} | "
        f"{_number(floor['metadata_only_mean_auroc'])} from sex, age and view |",
        "| the same without Pneumonia and Hernia | "
        f"{_with_interval(metrics, 'mean_auroc_without_pneumonia_hernia')} | |",
        f"| accuracy over 15 labels | {_percent(metrics['accuracy_multi'])} | "
        f"{_percent(floor['predict_nothing'])} for predicting nothing, "
        f'{_percent(floor["always_no_finding"])} for always "No finding" |',
    ]
    return "\n".join(lines)


def _table(metrics: dict[str, Any]) -> str:
    lines = [
        "| label | films | AUROC (95 %) | average precision | sensitivity | specificity |",
        "|---|---|---|---|---|---|",
    ]
    for label, found in metrics["findings"].items():
        cells = [
            cxr_labels.DISPLAY[label],
            str(found["positives"]),
            _with_interval(found, "auroc"),
            _number(found["average_precision"]),
            _number(found["sensitivity"]),
            _number(found["specificity"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _localisation(metrics: dict[str, Any]) -> str:
    found = metrics.get("localisation")
    if not found:
        return "Not measured: no boxes were given."
    pointing, controls = found["pointing"], found["controls"]
    low, high = pointing["ci95"] or (None, None)
    return (
        f"The highest point of a finding's evidence map lies in the radiologists' box for "
        f"{_percent(pointing['mean'])} of {pointing['boxes']} boxes on test films "
        f"(95 %: {_percent(low)} to {_percent(high)}). Answers that never look at the film: "
        f"{_percent(controls['constant_box']['pointing'])} for the place that most "
        f"training boxes of the finding cover, "
        f"{_percent(controls['random_map']['pointing'])} for a random place."
    )


def _prevalence_table(config: Config) -> str:
    lines = ["| label | share of training films | share of NIH's films |", "|---|---|---|"]
    lines += [
        f"| {cxr_labels.DISPLAY[label]} | {_percent(config.prevalence['training'][label])} | "
        f"{_percent(config.prevalence['nih'][label])} |"
        for label in config.labels
    ]
    return "\n".join(lines)


def _use(config: Config) -> str:
    size = config.image_size
    return f"""With ONNX Runtime alone (logits; `config.json` holds calibration and prevalence):

```python
import numpy as np
import onnxruntime
from PIL import Image

film = Image.open("film.png").convert("L")  # of 8 bits
film = film.resize(({size}, {size}), Image.Resampling.BILINEAR)
image = np.asarray(film, np.float32)[None, None] / 255
session = onnxruntime.InferenceSession("model.onnx")
logits, evidence, embedding = session.run(None, {{"image": image}})
```"""


def _identity(config: Config) -> bool:
    return all(pair == (1.0, 0.0) for pair in config.calibration.values())


def _with_interval(figures: dict[str, Any], name: str) -> str:
    value, interval = figures[name], figures[f"{name}_ci95"]
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
