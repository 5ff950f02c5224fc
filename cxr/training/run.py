"""One training run, from the data to the finished model folder."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from cxr import atomic, model_folder
from cxr.serving.predictor import Predictor
from cxr.training import boxes, export, figures, learner, model_card, nih, pixels, splits
from cxr.training.evaluation import baselines, localisation, report, thresholds
from cxr.training.export import ExportError  # noqa: F401 (raised by train)
from cxr.training.learner import Films
from cxr.training.net import POOLING, EvidenceNet
from cxr.training.settings import Settings
from cxr_labels import LABELS, NIH_PREVALENCE

BOX_WEIGHT = 0.3  # of the box loss beside the label loss
FINDER_STEPS = 50
_BATCH = 32  # films at once through the exported network
_PARITY_FILMS = 16  # real films on which ONNX and PyTorch must agree


def train(settings: Settings) -> dict[str, Any]:
    """Trains, exports and measures; writes the model folder and returns its metrics.

    Raises nih.DataError, cxr_labels.LabelError or ValueError with one sentence when the data or
    the settings do not do, export.ExportError when the exported file is not the trained network.
    """
    start = time.monotonic()
    folder = settings.output
    _check_output(folder)
    learner.seed_everything(settings.seed)
    net = EvidenceNet(settings.arch)  # first: a wrong name should not cost a decoding
    data, films, split = _load(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model_folder.CONFIG).unlink(missing_ok=True)  # an older run's: half of each is none
    splits.write(folder / model_folder.SPLITS, data, split)
    _say_split(data, split)
    films, box_sentence = _choose_boxes(settings, films, split)

    train_rows, valid_rows, test_rows = (np.flatnonzero(split == name) for name in splits.NAMES)
    speed = _fit(settings, net, films, train_rows, valid_rows)

    print("Exporting: ONNX, safetensors, fastai ...")
    export.export(net, settings.image_size, folder, films.cache.films(valid_rows[:_PARITY_FILMS]))
    training = {
        "data": settings.data.name,
        "films": len(films.names),
        "patients": int(data.table.patient.nunique()),
        "train_films": len(train_rows),
        "valid_films": len(valid_rows),
        "split": _split_name(settings.split),
        "seed": settings.seed,
        "epochs": settings.epochs,
        "freeze_epochs": settings.freeze_epochs,
        "boxes": box_sentence,
        "commit": _commit(),
        **speed,
    }
    config = _first_config(settings, data.targets[train_rows], training)
    config, metrics = _measure(settings, config, data, films, train_rows, valid_rows, test_rows)
    metrics["films_of_trained_patients"] = splits.shared_films(data, split, splits.TEST)
    model_folder.write_json(folder / model_folder.METRICS, metrics)
    figures.aurocs(metrics["findings"], folder / model_folder.FIGURES / "auroc.png")
    atomic.write_text(folder / model_folder.CARD, model_card.render(config, metrics))
    model_folder.write_config(folder, config)  # last: with it the folder counts as complete
    print(summary(folder, metrics, time.monotonic() - start))
    return metrics


def prevalence(targets: np.ndarray) -> np.ndarray:
    """Share of the films [N, 15] with each label [15]; never 0 or 1, which have no log-odds.

    Half a film is added to either side (Krichevsky and Trofimov), so that a label without films
    is taken as rarer than one in N.
    """
    return (targets.sum(0) + 0.5) / (len(targets) + 1)


def summary(folder: Path, metrics: dict[str, Any], seconds: float) -> str:
    """One screen of results."""

    def share(value: float | None) -> str:
        return "   -  " if value is None else f"{value:6.3f}"

    lines = [
        "",
        f"Test: {metrics['n_images']:,} films of {metrics['n_patients']:,} patients, "
        f"{metrics.get('films_of_trained_patients', 0):,} films of patients that training saw",
        f"{'finding':<20} {'films':>6} {'AUROC':>6}   95 % interval  sens.  spec.",
    ]
    for label, found in metrics["findings"].items():
        interval = found["auroc_ci95"]
        span = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
        lines.append(
            f"{label:<20} {found['positives']:>6} {share(found['auroc'])}  {span:>15} "
            f"{share(found['sensitivity'])} {share(found['specificity'])}"
        )
    floor = metrics["baselines"]
    low, high = metrics["mean_auroc_ci95"] or (float("nan"),) * 2
    lines += [
        "",
        f"mean AUROC of the 14 findings  {share(metrics['mean_auroc'])}  ({low:.3f} to {high:.3f});"
        f" from sex, age and view alone {share(floor['metadata_only_mean_auroc']).strip()}",
        f"accuracy over 15 labels        {share(metrics['accuracy_multi'])}; predicting nothing "
        f'{floor["predict_nothing"]:.3f}, always "No Finding" {floor["always_no_finding"]:.3f}',
    ]
    if "localisation" in metrics:
        pointing = metrics["localisation"]["pointing"]
        control = metrics["localisation"]["controls"]["constant_box"]["pointing"]
        lines.append(
            f"map points into the box        {share(pointing['mean'])} of {pointing['boxes']} "
            f"boxes; a constant place {control:.3f}"
        )
    lines += [
        "",
        f"Model folder: {folder} ({seconds / 60:.0f} minutes)",
        f"Try it:       python app.py --model {folder}",
        model_folder.NOT_FOR_CLINICAL_USE,
    ]
    return "\n".join(lines)


def _check_output(folder: Path) -> None:
    """Raises DataError where a run would write between files that are not a run's."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / model_folder.SPLITS).is_file():
        raise nih.DataError(
            f"The folder {str(folder)!r} holds other files; name an empty or a new one by --output."
        )


def _load(settings: Settings) -> tuple[nih.NihData, Films, np.ndarray]:
    """The usable films, decoded, and their split; prints what was wrong with the others."""
    data = nih.load(settings.data)
    found = boxes.read(settings.boxes) if settings.boxes else boxes.Boxes()
    splits.make(data, settings.split, settings.seed)  # what is wrong with it shows before decoding
    cache = pixels.build(data.source, list(data.table.image), settings.image_size)
    data = data.keep(cache.readable)
    for sentence in data.report.sentences():
        print(f"Note: {sentence}")
    split = splits.make(data, settings.split, settings.seed)
    return data, Films(cache, data.targets, list(data.table.image), found), split


def _say_split(data: nih.NihData, split: np.ndarray) -> None:
    counts = ", ".join(f"{(split == name).sum():,} {name}" for name in splits.NAMES)
    print(f"{len(split):,} films of {data.table.patient.nunique():,} patients: {counts}")
    shared = splits.shared_films(data, split)
    if shared:
        share = shared / (split == splits.VALID).sum()
        print(
            f"Warning: {shared:,} validation films ({100 * share:.0f} %) are of patients that are "
            "trained on too; figures of this split are too good."
        )


def _choose_boxes(settings: Settings, films: Films, split: np.ndarray) -> tuple[Films, str]:
    """The films with the boxes that training may use, and a sentence on it for the card."""
    if not settings.boxes:
        return films, "No boxes were used."
    in_training = {films.names[i] for i in np.flatnonzero(split == splits.TRAIN)}
    boxed = films.boxes.films_known(in_training)
    if not boxed:
        tested = {films.names[i] for i in np.flatnonzero(split == splits.TEST)}
        reason = (
            "every boxed film belongs to the official test patients"
            if settings.split == "official" and films.boxes.films_known(tested)
            else "no training film has a box"
        )
        sentence = f"The maps were not taught with boxes: {reason}."
        print(f"Note: {sentence}")
        return films, sentence
    return films, f"The evidence maps were taught with the boxes of {boxed:,} training films."


def _fit(
    settings: Settings, net: EvidenceNet, films: Films, train: np.ndarray, valid: np.ndarray
) -> dict[str, Any]:
    """Trains the net in place and draws the run's figures; returns rate and speed."""
    drawn = settings.output / model_folder.FIGURES
    net.start_from(prevalence(films.targets[train]))
    dls = learner.make_dls(films, train, valid, learner.batch_size())
    figures.batch(dls, drawn / figures.BATCH)
    learn = learner.make_learner(dls, net, BOX_WEIGHT, settings.output)
    rate = settings.lr
    if rate is None:
        rate, tried = learner.find_rate(learn, FINDER_STEPS)
        figures.learning_rate(tried, rate, drawn / "learning_rate.png")
        print(f"Learning rate: {rate:.1e}")
    start = time.monotonic()
    history = learner.fit(learn, settings.epochs, settings.freeze_epochs, rate)
    seconds = time.monotonic() - start
    figures.history(history, drawn / "history.png")
    return {
        "learning_rate": rate,
        "device": str(dls.device),
        "films_per_second": round(len(history) * len(train) / seconds, 1),
    }


def _first_config(
    settings: Settings, train_targets: np.ndarray, training: dict[str, Any]
) -> model_folder.Config:
    """The config before anything was chosen or measured on the validation films."""
    shares = prevalence(train_targets)
    return model_folder.Config(
        labels=LABELS,
        architecture=settings.arch,
        pooling=POOLING,
        image_size=settings.image_size,
        calibration=dict.fromkeys(LABELS, (1.0, 0.0)),
        thresholds={},
        prevalence={
            "training": {label: float(p) for label, p in zip(LABELS, shares, strict=True)},
            "nih": NIH_PREVALENCE,
        },
        sha256=model_folder.sha256(settings.output / model_folder.ONNX),
        training=training,
    )


def _measure(
    settings: Settings,
    config: model_folder.Config,
    data: nih.NihData,
    films: Films,
    train: np.ndarray,
    valid: np.ndarray,
    test: np.ndarray,
) -> tuple[model_folder.Config, dict[str, Any]]:
    """Chooses thresholds on validation, then looks at the test films, once.

    What is measured is the exported ONNX file, as it will be served.
    """
    predictor = Predictor(settings.output, config)
    held = {}
    for name, rows in (("validation", valid), ("test", test)):
        logits, evidence = _run(predictor, films, rows, f"Measuring {name} films")
        probabilities = config.probabilities(logits, "training")
        held[name] = report.Predicted(data.table.iloc[rows], data.targets[rows], probabilities)
    chosen = thresholds.youden(held["validation"].targets, held["validation"].probabilities)
    # What was never trained on says nothing: it is never flagged.
    trained = {label for label, n in zip(LABELS, data.targets[train].sum(0), strict=True) if n}
    chosen = {label: threshold for label, threshold in chosen.items() if label in trained}
    _draw_accuracy(held["validation"], settings.output)
    metrics = report.measure(
        held["test"],
        held["validation"],
        data.table.iloc[train],
        data.targets[train],
        chosen,
        _split_name(settings.split),
    )
    _write_predictions(settings.output / model_folder.PREDICTIONS, held["test"])
    patients = dict(zip(data.table.image, data.table.patient.tolist(), strict=True))
    seen = [films.names[i] for i in train]
    found = localisation.pointing_game(evidence, patients, films.boxes, seen)
    if found:
        metrics["localisation"] = found
    headline = {
        name: metrics[name]
        for name in ("mean_auroc", "mean_auroc_ci95", "mean_auroc_without_pneumonia_hernia")
    }
    if found:
        headline["pointing"] = found["pointing"]["mean"]
    return replace(config, thresholds=chosen, metrics=headline), metrics


def _run(
    predictor: Predictor, films: Films, rows: np.ndarray, title: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Logits [n, 15] of the films at `rows`, and the evidence maps of those that have a box."""
    logits = []
    evidence: dict[str, np.ndarray] = {}
    for start in tqdm(range(0, len(rows), _BATCH), desc=title, unit="batch"):
        part = rows[start : start + _BATCH]
        outputs = predictor.run(films.cache.films(part))
        logits.append(outputs.logits)
        for i, maps in zip(part, outputs.evidence, strict=True):
            if films.names[i] in films.boxes.of_film:
                evidence[films.names[i]] = maps
    return np.concatenate(logits), evidence


def _write_predictions(path: Path, test: report.Predicted) -> None:
    """predictions.csv: film, patient, and the test films' probabilities at training prevalence."""
    table = pd.DataFrame(test.probabilities, columns=list(LABELS)).round(6)
    table.insert(0, "patient", test.table.patient.to_numpy())
    table.insert(0, "image_index", test.table.image.to_numpy())
    with atomic.replacing(path) as part:
        table.to_csv(part, index=False)


def _draw_accuracy(valid: report.Predicted, folder: Path) -> None:
    curve, accuracies, best = thresholds.accuracy_curve(valid.targets, valid.probabilities)
    constants = {
        "predicting nothing": baselines.predict_nothing(valid.targets),
        'always "No Finding"': baselines.always_no_finding(valid.targets),
    }
    path = folder / model_folder.FIGURES / "accuracy.png"
    figures.accuracy_curve(curve, accuracies, best, constants, path)


def _split_name(split: str) -> str:
    """The kind of split; of a reused splits.csv not its path, which is this machine's."""
    return split if split in splits.KINDS else "reused"


def _commit() -> str | None:
    """The commit of the code, where it lies in a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
