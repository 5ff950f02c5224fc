"""One training run, from the data to the finished model folder."""

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastai.learner import Learner

from cxr import atomic, machine
from cxr.datasets import boxes, kaggle, nih, splits
from cxr.evaluation import (
    box_rule,
    calibration,
    measuring,
    model_card,
    plots,
    predictions,
    summary,
    thresholds,
)
from cxr.imaging import GreyImage
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import TRAINING, probabilities_at, shares_at
from cxr.model import model_folder
from cxr.model.config import Config, write_config
from cxr.model.metrics import Metrics
from cxr.model.metrics import read as read_metrics
from cxr.training import checkpoint, distributed, examples, export, fit_input_check, learner, pixels
from cxr.training.export import ExportError  # noqa: F401 (raised by train)
from cxr.training.images import Images
from cxr.training.net import POOLING, HeatmapNet, average
from cxr.training.settings import ARTICLE, Settings
from cxr_labels import LABELS, NIH_PREVALENCE

FINDER_STEPS = 50
_PARITY_IMAGES = 16  # real images on which ONNX and PyTorch must agree


def train(settings: Settings) -> Metrics | None:
    """Trains, exports and measures; writes the model folder and returns its metrics.

    Of several processes (cxr.training.distributed) all train, and the main one does the rest; the
    others return None. Raises nih.DataError, cxr_labels.LabelError or ValueError with one sentence
    when the data or the settings do not do, export.ExportError when the exported file is not the
    trained network.
    """
    start = time.monotonic()
    folder = settings.output
    if settings.resume and (folder / model_folder.CONFIG).is_file():
        print(f"The run in {str(folder)!r} is complete already; nothing was done.")
        return read_metrics(folder)
    with distributed.joined():
        distributed.from_main(lambda: _check_output(folder, settings.resume))
        learner.seed_everything(settings.seed)
        # First: a wrong name should not cost a decoding.
        net = distributed.main_first(lambda: _make_net(settings))
        place = distributed.from_main(lambda: kaggle.locate(settings.data))
        data, images, split = distributed.main_first(lambda: _load(settings, place))
        progress = _progress(settings, images, split)
        distributed.from_main(lambda: _open_folder(settings, data, split))
        images, box_sentence = _choose_boxes(settings, images, split)
        train_rows, valid_rows, test_rows = (np.flatnonzero(split == name) for name in splits.NAMES)
        schedule = _schedule(settings)
        if settings.epochs or settings.freeze_epochs:
            schedule |= _fit(settings, net, images, train_rows, valid_rows, progress)
    if not distributed.is_main():
        return None

    print("Exporting: ONNX, safetensors, fastai ...")
    export.export(
        net, settings.image_size, folder, images.cache.images(valid_rows[:_PARITY_IMAGES])
    )
    training = {
        "data": settings.data.name,
        "images": len(images.names),
        "patients": int(data.table.patient.nunique()),
        "train_images": len(train_rows),
        "valid_images": len(valid_rows),
        "split": _split_name(settings.split),
        "boxes": box_sentence,
        "commit": _commit(),
        **schedule,
    }
    predictor = Predictor(folder, _first_config(settings, data.targets[train_rows], training))
    config = _choose(settings, predictor, data, images, train_rows, valid_rows)
    request = measuring.Request(
        data,
        test_rows,
        _reader(images),
        images.boxes,
        train_rows,
        _seen(data, split),
        settings.data.name,
        [],
    )
    predictor = Predictor(folder, config)
    metrics = measuring.measure(predictor, request, folder)
    examples.write(folder, predictor, data, split)
    config = config.replace(metrics=metrics.headline())
    atomic.write_text(folder / model_folder.CARD, model_card.render(config, metrics))
    write_config(
        folder / model_folder.CONFIG, config
    )  # last: with it the folder counts as complete
    checkpoint.remove(folder)
    print(summary.table(metrics))
    print(_ending(folder, time.monotonic() - start))
    return metrics


def _make_net(settings: Settings) -> HeatmapNet:
    """The network before training. Raises ValueError or OSError in one sentence."""
    if not settings.start:
        return HeatmapNet(settings.arch)
    for folder in settings.start:
        model_folder.load(folder)
    net = average(settings.start)
    if net.architecture != settings.arch:
        raise ValueError(
            f"--start names a network with the body {net.architecture!r}; give that by --arch."
        )
    return net


def _schedule(settings: Settings) -> dict[str, Any]:
    """How the weights came about: this run's part, and under "start" that of the runs before it.

    A run that only measures another's network tells how that one was trained.
    """
    before = [_schedule_of(model_folder.load(folder)) for folder in settings.start]
    trains = settings.epochs or settings.freeze_epochs
    if len(before) == 1 and not trains:
        return before[0]
    own = {
        "recipe": settings.recipe,
        "seed": settings.seed,
        "freeze_epochs": settings.freeze_epochs,
        "epochs": settings.epochs,
        "image_size": settings.image_size,
        "mirror": settings.mirror,
        "start": before,
    }
    if not trains:  # what taught the maps is the runs' before, whatever boxes this one measures on
        own["boxes"] = " ".join(dict.fromkeys(one["boxes"] for one in before if "boxes" in one))
    return own


def _schedule_of(config: Config) -> dict[str, Any]:
    kept = (
        "recipe",
        "seed",
        "freeze_epochs",
        "epochs",
        "mirror",
        "learning_rate",
        "device",
        "boxes",
        "start",
    )
    known = {k: config.training[k] for k in kept if k in config.training}
    return {"image_size": config.image_size, "start": [], **known}


def _check_start(folders: Iterable[Path], data: nih.NihData, split: np.ndarray) -> None:
    """Raises DataError where the networks to start from saw patients that are held out here."""
    held_out = data.table.patient[split != splits.TRAIN]
    for folder in folders:
        seen = splits.read(folder / model_folder.SPLITS)
        shared = held_out.isin(seen.patient[seen.split == splits.TRAIN]).sum()
        if shared:
            raise nih.DataError(
                f"{shared:,} of the images held out here are of patients that the model in "
                f"{str(folder)!r} was trained on; take its split: "
                f"--split {folder / model_folder.SPLITS}."
            )


def prevalence(targets: np.ndarray) -> np.ndarray:
    """Share of the images [N, 15] with each label [15]; never 0 or 1, which have no log-odds.

    Half an image is added to either side (Krichevsky and Trofimov), so that a label without images
    is taken as rarer than one in N.
    """
    return (targets.sum(0) + 0.5) / (len(targets) + 1)


def _ending(folder: Path, seconds: float) -> str:
    return "\n".join(
        [
            "",
            f"Model folder: {folder} ({seconds / 60:.0f} minutes)",
            f"Try it:       python app.py --model {folder}",
            model_folder.NOT_FOR_CLINICAL_USE,
        ]
    )


def _check_output(folder: Path, resume: bool) -> None:
    """Raises DataError where a run would write over a cut-off one, or between other files."""
    if (folder / checkpoint.FILE).is_file() and not resume:
        raise nih.DataError(
            f"The folder {str(folder)!r} holds a training that was cut off; go on with it by "
            "--resume, or name a new one by --output."
        )
    if folder.is_dir() and any(folder.iterdir()) and not (folder / model_folder.SPLITS).is_file():
        raise nih.DataError(
            f"The folder {str(folder)!r} holds other files; name an empty or a new one by --output."
        )


def _load(settings: Settings, place: Path) -> tuple[nih.NihData, Images, np.ndarray]:
    """The usable images in a folder or zip, decoded, and their split; prints what was left out."""
    data = nih.load(place)
    found = boxes.read(settings.boxes) if settings.boxes else boxes.Boxes()
    splits.make(data, settings.split, settings.seed)  # what is wrong with it shows before decoding
    cache = pixels.build(data.source, list(data.table.image), settings.image_size)
    data = data.keep(cache.readable)
    for sentence in data.report.sentences():
        print(f"Note: {sentence}")
    split = splits.make(data, settings.split, settings.seed)
    return data, Images(cache, data.targets, list(data.table.image), found), split


def _open_folder(settings: Settings, data: nih.NihData, split: np.ndarray) -> None:
    """Makes the model folder with its splits.csv, and says who is in which set."""
    _check_start(settings.start, data, split)
    folder = settings.output
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model_folder.CONFIG).unlink(missing_ok=True)  # an older run's: half of each is none
    splits.write(folder / model_folder.SPLITS, data, split)
    _say_split(data, split)


def _say_split(data: nih.NihData, split: np.ndarray) -> None:
    counts = ", ".join(f"{(split == name).sum():,} {name}" for name in splits.NAMES)
    print(f"{len(split):,} images of {data.table.patient.nunique():,} patients: {counts}")
    shared = splits.shared_images(data, split)
    if shared:
        share = shared / (split == splits.VALID).sum()
        print(
            f"Warning: {shared:,} validation images ({100 * share:.0f} %) are of patients that are "
            "trained on too; figures of this split are too good."
        )


def _choose_boxes(settings: Settings, images: Images, split: np.ndarray) -> tuple[Images, str]:
    """The images with the boxes that training may use, and a sentence on it for the card."""
    if not settings.boxes:
        return images, "No boxes were used."
    if settings.recipe == ARTICLE:
        return images, "The maps were not taught with boxes: the article's way has none."
    in_training = {images.names[i] for i in np.flatnonzero(split == splits.TRAIN)}
    boxed = images.boxes.images_known(in_training)
    if not boxed:
        tested = {images.names[i] for i in np.flatnonzero(split == splits.TEST)}
        reason = (
            "every boxed image belongs to the official test patients"
            if settings.split == "official" and images.boxes.images_known(tested)
            else "no training image has a box"
        )
        sentence = f"The maps were not taught with boxes: {reason}."
        print(f"Note: {sentence}")
        return images, sentence
    return images, f"The heatmaps were taught with the boxes of {boxed:,} training images."


def _progress(settings: Settings, images: Images, split: np.ndarray) -> checkpoint.Progress:
    """How far the training to go on with has come; where there is none, that of a new one.

    Raises CheckpointError where it was begun with other options or images.
    """
    boxed = sorted(images.boxes.of_image)
    begun = {
        "--arch": settings.arch,
        "--image-size": settings.image_size,
        "--epochs": settings.epochs,
        "--freeze-epochs": settings.freeze_epochs,
        "--lr": settings.lr,
        "--recipe": settings.recipe,
        "--mirror": settings.mirror,
        "--seed": settings.seed,
        "--start": [str(folder) for folder in settings.start],
        "split or set of images": _digest([images.names, split.tolist()]),
        "list of boxes": _digest([images.boxes.of_image[name] for name in boxed]),
        "number of processes": distributed.processes(),
    }
    found = None
    if settings.resume:
        found = checkpoint.read(settings.output / checkpoint.FILE, begun)
        epochs = settings.freeze_epochs + settings.epochs
        print(
            f"Going on after {len(found.history)} of {epochs} epochs."
            if found
            else "Note: no finished epoch was found to go on from; the training begins anew."
        )
    return found or checkpoint.Progress(begun)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _fit(
    settings: Settings,
    net: HeatmapNet,
    images: Images,
    train: np.ndarray,
    valid: np.ndarray,
    progress: checkpoint.Progress,
) -> dict[str, Any]:
    """Trains the net in place and draws the run's figures; returns rate and speed."""
    drawn = settings.output / model_folder.FIGURES
    if not settings.start:
        net.start_from(prevalence(images.targets[train]))
    machine.keep_freed_memory()
    dls = learner.make_dls(
        images, train, valid, learner.batch_size(), settings.recipe, settings.mirror
    )
    if distributed.is_main():
        plots.batch(dls, drawn / model_folder.BATCH)
    else:  # else all processes would draw the same augmentation
        learner.seed_everything(settings.seed + distributed.rank())
    taught = images.boxes.of_image and settings.recipe != ARTICLE
    box_weight = learner.BOX_WEIGHT if taught else 0.0
    with distributed.own_folder(settings.output) as folder:
        learn = learner.make_learner(dls, net, box_weight, folder)
        rate = (
            progress.rate or settings.lr or distributed.from_main(lambda: _find_rate(learn, drawn))
        )
        progress = replace(progress, rate=rate)
        start = time.monotonic()
        with distributed.shared(learn):
            history = learner.fit(
                learn,
                settings.image_size,
                settings.epochs,
                settings.freeze_epochs,
                settings.output / checkpoint.FILE,
                progress,
            )
        seconds = time.monotonic() - start
    if distributed.is_main():
        plots.history(history, drawn / "history.png")
    trained = (len(history) - len(progress.history)) * len(train)
    return {
        "learning_rate": rate,
        "device": str(dls.device),
        "processes": distributed.processes(),
        "images_per_second": round(trained / seconds, 1) if trained else None,
    }


def _find_rate(learn: Learner, drawn: Path) -> float:
    rate, tried = learner.find_rate(learn, FINDER_STEPS)
    plots.learning_rate(tried, rate, drawn / "learning_rate.png")
    print(f"Learning rate: {rate:.1e}")
    return rate


def _first_config(
    settings: Settings, train_targets: np.ndarray, training: dict[str, Any]
) -> Config:
    """The config before anything was chosen or measured on the validation images."""
    shares = prevalence(train_targets)
    return Config(
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


def _choose(
    settings: Settings,
    predictor: Predictor,
    data: nih.NihData,
    images: Images,
    train: np.ndarray,
    valid: np.ndarray,
) -> Config:
    """The config with all that is chosen on the validation images, of the exported ONNX file."""
    boxed = {int(i) for i in valid if images.names[i] in images.boxes.of_image}
    found = predictions.collect(
        predictor, _reader(images), valid, boxed, "Choosing by validation images"
    )
    targets, patients = data.targets[valid], data.table.patient.to_numpy()[valid]
    config = predictor.config
    calibrated = calibration.fit(found.logits, targets, patients, shares_at(config, TRAINING))
    config = config.replace(calibration=calibrated)
    probabilities = probabilities_at(config, found.logits, TRAINING)
    chosen = thresholds.choose(settings.thresholds, targets, probabilities)
    # What was never trained on says nothing: it is never flagged.
    trained = {label for label, n in zip(LABELS, data.targets[train].sum(0), strict=True) if n}
    chosen = {label: threshold for label, threshold in chosen.items() if label in trained}
    return config.replace(
        thresholds=chosen,
        threshold_rule=settings.thresholds,
        accuracy_threshold=thresholds.accuracy_curve(targets, probabilities)[2],
        operating_points=thresholds.operating_points(targets, probabilities, chosen, patients),
        box_rule=box_rule.tune(
            {images.names[i]: maps for i, maps in found.heatmaps.items()},
            images.boxes,
            [images.names[i] for i in train],
        ),
        input_check=fit_input_check.write(
            settings.output,
            predictor.run,
            images.cache.images,
            data.table.patient.to_numpy(),
            train,
            valid,
        ),
    )


def _reader(images: Images) -> Callable[[int], GreyImage]:
    """Row -> image as the cache holds it."""
    return lambda row: GreyImage(images.cache.image(row))


def _seen(data: nih.NihData, split: np.ndarray) -> pd.DataFrame:
    """What splits.csv says, image by image."""
    table = data.table[["image", "patient"]].rename(columns={"image": "image_index"})
    return table.assign(split=split)


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
