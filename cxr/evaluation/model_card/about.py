"""What the card says of the model as a whole: what it is, is for, was made of and cannot do."""

from typing import Any

import cxr_labels
from cxr.evaluation.model_card.form import bullets, count, display, paragraphs, percent
from cxr.model.config import Config

_FEW_IMAGES = 10_000  # for training a network
_FEW_POSITIVES = 20  # test images with a finding, for measuring it
_ENRICHED = 3.0  # times as frequent as in the full release

_MOST_RUNS = 100  # that a count in an old folder is believed to mean

_SPLITS = {
    "patient": "by patient: all images of a person are in one set",
    "official": "by the release's own list of test patients",
    "random": "image by image, so that one person's images are in several sets",
    "reused": "as an earlier run split them",
}


def summary(config: Config) -> str:
    """What the model is, in a few lines."""
    images, trained = config.training.get("images"), config.training.get("train_images")
    made_of = "images of NIH ChestX-ray14."
    if images is not None:
        made_of = (
            f"{count(images)} images of NIH ChestX-ray14, of which {count(trained)} trained it."
        )
    return (
        f"A {'small ' if images is not None and images < _FEW_IMAGES else ''}model: "
        f"`{config.architecture}` at {config.image_size} px, fine-tuned on {made_of}"
        f"{_enriched(config)} For a frontal chest X-ray it scores 14 findings and "
        '"No finding", and shows for each where on the image the heatmap lies.'
    )


def warning(metrics: dict[str, Any]) -> str:
    """What no reader may miss."""
    plain = (
        "**Not for clinical use.** It was measured on images of one hospital whose labels were read "
        'from reports by a program. A low score does not rule out disease, and "No finding" does '
        "not mean that there is none."
    )
    return paragraphs([plain, _leak(metrics)])


def intended_use() -> str:
    """Use and misuse."""
    return (
        "**For:** a demo, teaching, and research on how such models are measured, calibrated and "
        "explained.\n\n**Not for:**\n\n"
    ) + bullets(
        [
            "any decision about a patient: whom to treat, to call back, to send home or to read "
            "first;",
            "other images than frontal chest X-rays of adults: lateral images, images of small "
            "children, CT slices, photographs of a screen;",
            "images of other hospitals and machines, unless it was measured on them first;",
            "findings that are not among its 14, such as fractures, tubes and lines: it is blind "
            "to them;",
            "labelling other data: its errors would go along.",
        ]
    )


def data(config: Config) -> str:
    """The images, how their labels came about, and how wrong these are."""
    training = config.training
    images, patients = training.get("images"), training.get("patients")
    whose = "Frontal chest X-rays of the NIH Clinical Center"
    folder = f" (data: `{training['data']}`)" if training.get("data") else ""
    if images is not None:
        whose = (
            f"{count(images)} frontal chest X-rays of {count(patients)} patients of the NIH Clinical "
            "Center"
        )
    return paragraphs(
        [
            f"{whose}, from NIH ChestX-ray14{folder}.{_enriched(config)}",
            "No radiologist labelled them: a program read the labels from the reports, and the "
            "reports are not public. Labels are wrong in both directions. When radiologists "
            'adjudicate images labelled "No Finding", 30 to 46 % of them carry a finding. Findings '
            "that look alike (infiltration, consolidation, pneumonia, atelectasis) are told apart "
            "by how a report was worded. Figures below are agreement with these labels, not with "
            "the truth.",
        ]
    )


def training(config: Config, metrics: dict[str, Any]) -> str:
    """How it was trained, on whom, and who was held out."""
    return paragraphs([_schedule(config), _split(config, metrics)])


def limits(config: Config, metrics: dict[str, Any]) -> str:
    """What to bear in mind, and what could not be measured."""
    sentences = [
        "One hospital, its machines and its patients: on images of another the figures are likely "
        "to be lower, and nobody has measured by how much.",
        "The labels are noisy (above), on the test images too.",
        "Scores hold at the prevalence that they are stated at; where findings are more or less "
        "frequent, state that prevalence.",
        "An heatmap shows what a score was made of; it does not outline a finding.",
        "It sees one image, and neither the patient's history nor earlier images.",
    ]
    if _enriched(config):
        sentences.append(
            "Its images are enriched (above): figures on another mix of images differ."
        )
    few = {
        label: found["positives"]
        for label, found in (metrics.get("findings") or {}).items()
        if found.get("positives") is not None and found["positives"] < _FEW_POSITIVES
    }
    if few:
        listed = ", ".join(f"{display(label)} ({n})" for label, n in few.items())
        sentences.append(f"Fewer than {_FEW_POSITIVES} test images carry: {listed}.")
    return bullets([*sentences, *other_notes(metrics)])


def notes_on_groups(metrics: dict[str, Any]) -> list[str]:
    """The notes of metrics.json on groups of patients and the gaps between them."""
    return [note for note in metrics.get("notes") or () if "group" in note]


def other_notes(metrics: dict[str, Any]) -> list[str]:
    """The notes of metrics.json on everything else."""
    return [note for note in metrics.get("notes") or () if "group" not in note]


def is_enriched(config: Config) -> bool:
    """Whether a finding is far more frequent among its images than in the full release."""
    return bool(_enriched(config))


def _enriched(config: Config) -> str:
    """A sentence where a finding is far more frequent than in the full release."""
    here, nih = config.prevalence["training"], config.prevalence["nih"]
    ratios = {label: here[label] / max(nih[label], 1e-6) for label in cxr_labels.FINDINGS}
    most = max(ratios, key=lambda label: ratios[label])
    if ratios[most] < _ENRICHED:
        return ""
    return (
        f" Its images are enriched, not NIH's mix: {display(most).lower()} is on "
        f"{percent(here[most])} of the training images and on {percent(nih[most])} of the full "
        "release."
    )


def _schedule(config: Config) -> str:
    training = config.training
    *before, last = _steps(training)
    way = [f"Its weights are those of {last}."]
    if before:
        numbered = "\n".join(f"{k}. {step}" for k, step in enumerate([*before, last], 1))
        way = ["Its weights came about in steps, and are those of the last:", numbered]
    how = (
        "Each logit is pooled from that label's heatmap "
        f"map and from nothing else ({config.pooling}). {training.get('boxes', '')}"
    )
    # Runs on a CPU keep it; of runs that a record is missing of, nothing is said.
    if all(run.get("device") == "cpu" for run in _runs(training)):
        how += " The early body, to stride 8, kept ImageNet's weights."
    facts = [
        ("device", training.get("device")),
        ("images a second", training.get("images_per_second")),
        ("recipe", training.get("recipe")),
        ("commit of the code", training.get("commit")),
    ]
    said = "; ".join(f"{name} `{value}`" for name, value in facts if value is not None)
    return paragraphs([*way, how.strip(), said[:1].upper() + said[1:] + "." if said else ""])


def _steps(training: dict[str, Any]) -> list[str]:
    """The runs by which a network's weights came about, from ImageNet's on; itself the last."""
    steps: list[str] = []

    def number(run: dict[str, Any]) -> int:
        """Of the run's step, after those of the runs that it went on from."""
        step = _step(run, [number(one) for one in _before(run)])
        if step not in steps:
            steps.append(step)
        return steps.index(step) + 1

    number(training)
    return steps


def _step(run: dict[str, Any], before: list[int]) -> str:
    """What a run did. before: the steps that it went on from."""
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
        f"rate {run['learning_rate']}" if run.get("learning_rate") else "",
        "half of the images mirrored" if run.get("mirror") else "",
    ]
    named = ", ".join(fact for fact in facts if fact)
    return f"{own}{_epochs(epochs)} of head and body{f' ({named})' if named else ''} from {origin}"


def _before(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of the runs that this one went on from; older folders only say how many."""
    start = training.get("start") or []
    return [{}] * min(start, _MOST_RUNS) if isinstance(start, int) else start


def _runs(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of this run and of all before it."""
    return [training, *(run for one in _before(training) for run in _runs(one))]


def _epochs(n: int | None) -> str:
    return f"{n or 0} epoch{'' if n == 1 else 's'}"


def _split(config: Config, metrics: dict[str, Any]) -> str:
    training = config.training
    kind = training.get("split") or metrics.get("split")
    sets = [
        (training.get("train_images"), "for training"),
        (training.get("valid_images"), "for choosing, calibrating and thresholds"),
    ]
    named = [f"{count(n)} images {what}" for n, what in sets if n is not None]
    if metrics.get("n_images") is not None:
        named.append(
            f"{count(metrics['n_images'])} images of {count(metrics.get('n_patients'))} patients "
            "for the figures of this card"
        )
    how = f"The images were split {_SPLITS.get(str(kind), f'by `{kind}`')}." if kind else ""
    sizes = f" Three sets: {', '.join(named)}." if named else ""
    return f"{how}{sizes} `splits.csv` says who was seen in training.".strip()


def _leak(metrics: dict[str, Any]) -> str:
    shared = metrics.get("images_of_trained_patients")
    if not shared:
        return ""
    return (
        f"**{count(shared)} of the test images are of patients that were trained on too: the "
        "figures are too good, and do not compare with those of a split by patient.**"
    )
