"""The model card: README.md of the model folder, made from the config and the metrics."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from cxr import html_page
from cxr.evaluation import form
from cxr.inference.prevalence import thresholds_at
from cxr.model.config import Config
from cxr.model.metrics import Estimate, Finding, Group, Metrics
from cxr_labels import FINDINGS

_FEW_POSITIVES = 20  # test images with a finding, for measuring it
_ENRICHED = 3.0  # times as frequent as in the full release
_NAME = "chest-xray-findings"
IMAGES_AT = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
_SPLITS = {
    "patient": "by patient: all images of a person are in one set",
    "official": "by the release's own list of test patients",
    "random": "image by image, so that one person's images are in several sets",
    "reused": "as an earlier run split them",
}
# Metric, type by which the Hub knows it, name for people.
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


def render(config: Config, metrics: Metrics, ood: dict[str, Any] | None = None) -> str:
    """The card as Markdown with the Hub's YAML header.

    Args:
        config: Of the model.
        metrics: Of the model on its test images.
        ood: The results on out-of-distribution images, as `benchmarks.ood_images` writes them:
            {"kinds": {kind: {"images", "rejected", "warned"}}, "rejected_share", "ci95",
            "chest_transforms": like "kinds"}.
    """
    runs = _runs(config.training)
    groups = {
        f"{by}: {name}": group
        for by, members in metrics.subgroups.by().items()
        for name, group in members.items()
    }
    few = {k: f.positives for k, f in metrics.findings.items() if f.positives < _FEW_POSITIVES}
    card = html_page.fill(
        __package__,
        "card.md.jinja",
        form.FILTERS,
        escape=False,
        header=_header(metrics),
        images_at=IMAGES_AT,
        config=config,
        m=metrics,
        ood=ood,
        ood_share=ood and Estimate(value=ood["rejected_share"], ci95=tuple(ood["ci95"])),
        findings=FINDINGS,
        enriched=_enriched(config),
        mean_share=_mean_share(metrics),
        steps=_steps(config.training),
        # Training on a CPU keeps it. Nothing is said if the record of a run is missing.
        frozen=all(run.get("device") == "cpu" for run in runs),
        facts=_facts(config.training),
        split=_split(config, metrics),
        rule=_rule(config.threshold_rule),
        thresholds=dict(zip(config.labels, map(float, thresholds_at(config, "nih")), strict=True)),
        calibrated=any(tuple(pair) != (1.0, 0.0) for pair in config.calibration.values()),
        groups=groups,
        why_findings=_reasons(metrics.findings),
        why_groups=_reasons(groups),
        group_notes=[note for note in metrics.notes if "group" in note],
        other_notes=[note for note in metrics.notes if "group" not in note],
        few=few,
        few_positives=_FEW_POSITIVES,
    )
    return f"{card.rstrip()}\n"


def _header(metrics: Metrics) -> str:
    """The YAML of the Hub's header, with the main metrics that are defined as results."""
    found = ((getattr(metrics, name), kind, title) for name, kind, title in _RESULTS)
    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Multi-label classification of chest X-rays",
            dataset_type="nih-chest-xray14",
            dataset_name="NIH ChestX-ray14 (the images that the card names)",
            dataset_split="test",
            metric_type=kind,
            metric_name=title,
            metric_value=round(estimate.value, 4),
        )
        for estimate, kind, title in found
        if estimate
    ]
    name: dict[str, Any] = {"model_name": _NAME, "eval_results": results} if results else {}
    data = ModelCardData(
        license="apache-2.0",
        library_name="fastai",
        pipeline_tag="image-classification",
        tags=["chest-x-ray", "radiology", "multi-label", "onnx", "fastai"],
        **name,
    )
    return f"{data.to_yaml()}\n"


def _enriched(config: Config) -> str:
    """A sentence if a finding is far more frequent than in the full release."""
    here, nih = config.prevalence["training"], config.prevalence["nih"]
    most = max(FINDINGS, key=lambda label: here[label] / max(nih[label], 1e-6))
    if here[most] < _ENRICHED * nih[most]:
        return ""
    return (
        f" Its images are enriched and differ from NIH's prevalence: {form.display(most).lower()} "
        f"is on {form.percent(here[most])} of the training images and on "
        f"{form.percent(nih[most])} of the full release."
    )


def _mean_share(metrics: Metrics) -> float | None:
    """The mean average precision of random scores: the mean share of the images with a finding."""
    measured = [metrics.findings[label] for label in FINDINGS]
    positives = [found.positives for found in measured if found.average_precision]
    return sum(positives) / len(positives) / metrics.n_images if positives else None


def _reasons(named: Mapping[str, Finding | Group]) -> dict[str, list[str]]:
    """{why metrics are missing: the names of which this is true}."""
    reasons: dict[str, list[str]] = {}
    for name, part in named.items():
        if part.why:
            reasons.setdefault(part.why, []).append(name)
    return reasons


def _rule(rule: str) -> str:
    """How the thresholds were chosen."""
    chosen = "Thresholds were chosen on the validation patients"
    name, _, wanted = rule.partition("=")
    if name == "accuracy":
        return f"{chosen}: one for all findings, where the accuracy over all labels is highest."
    how = {
        "youden": "for the highest sum of sensitivity and specificity",
        "f1": "for the highest F1 score",
    }.get(name)
    if name == "sensitivity":
        share = form.percent(float(wanted))
        how = f"each the highest that flags {share} of the images with the finding"
    return (
        f"{chosen}, {how}. A finding without positives or negatives there is flagged above the "
        "probability of 95 % of those images."
    )


def _split(config: Config, metrics: Metrics) -> str:
    """Who was trained on, and who was held out."""
    training = config.training
    kind = str(training.get("split") or metrics.split)
    sets = [
        (training.get("train_images"), "for training"),
        (training.get("valid_images"), "for choosing, calibrating and thresholds"),
    ]
    sizes = [f"{form.count(n)} images {what}" for n, what in sets if n is not None]
    sizes.append(
        f"{form.count(metrics.n_images)} images of {form.count(metrics.n_patients)} patients for "
        "the metrics of this card"
    )
    return (
        f"The images were split {_SPLITS.get(kind, f'by `{kind}`')}. The sets: {', '.join(sizes)}. "
        "`splits.csv` lists which patients were seen in training."
    )


def _facts(training: dict[str, Any]) -> str:
    facts = [
        ("device", training.get("device")),
        ("images a second", training.get("images_per_second")),
        ("recipe", training.get("recipe")),
        ("commit of the code", training.get("commit")),
    ]
    text = "; ".join(f"{name} `{value}`" for name, value in facts if value is not None)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _steps(training: dict[str, Any]) -> list[str]:
    """The runs that the weights result from, from ImageNet's on; the model's own run is the last.

    A run that several others started from is listed once.
    """
    steps: list[str] = []

    def number(run: dict[str, Any]) -> int:
        step = _step(run, [number(earlier) for earlier in run.get("start") or ()])
        if step not in steps:
            steps.append(step)
        return steps.index(step) + 1

    number(training)
    return steps


def _step(run: dict[str, Any], before: list[int]) -> str:
    """What a run did, given the numbers of the steps that it started from."""
    frozen, epochs = run.get("freeze_epochs"), run.get("epochs")
    if frozen is None and epochs is None:
        return "a run whose schedule was not recorded"
    origin = f"step {before[0]}" if before else "ImageNet's weights"
    if len(set(before)) > 1:
        origin = f"the mean of the weights of steps {' and '.join(map(str, dict.fromkeys(before)))}"
    elif len(before) > 1:
        origin = f"the mean of the weights of {len(before)} networks of step {before[0]}"
    if before and not (frozen or epochs):
        return origin
    own = f"{_epochs(frozen)} of the head alone and " if frozen or frozen is None else ""
    facts = [
        f"{run['image_size']} px" if run.get("image_size") else "",
        f"seed {run['seed']}" if run.get("seed") is not None else "",
        f"rate {run['learning_rate']:.3g}" if run.get("learning_rate") else "",
        "half of the images mirrored" if run.get("mirror") else "",
    ]
    named = ", ".join(fact for fact in facts if fact)
    named = f" ({named})" if named else ""
    return f"{own}{_epochs(epochs)} of head and backbone{named} from {origin}"


def _runs(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of this run and of all runs that it started from."""
    return [training, *(run for one in training.get("start") or () for run in _runs(one))]


def _epochs(n: int | None) -> str:
    return f"{n or 0} epoch{'' if n == 1 else 's'}"
