"""One training run, from the data to the finished model folder."""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastai.learner import Learner

from cxr import atomic, machine
from cxr.datasets import kaggle, splits
from cxr.evaluation import measuring, model_card, plots, summary
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.model.config import write_config
from cxr.model.metrics import Metrics
from cxr.model.metrics import read as read_metrics
from cxr.model.resolve import Model
from cxr.training import (
    checkpoint,
    choose,
    data,
    distributed,
    examples,
    export,
    learner,
    loaders,
    output,
    record,
)
from cxr.training.checkpoint import Progress
from cxr.training.data import RunData
from cxr.training.export import ExportError  # noqa: F401 (raised by train)
from cxr.training.net import HeatmapNet, average
from cxr.training.settings import ARTICLE, Settings

FINDER_STEPS = 50
_PARITY_IMAGES = 16  # real images on which ONNX and PyTorch must agree


def train(settings: Settings) -> Metrics | None:
    """Trains, exports and measures a network, and writes its model folder.

    With several processes (cxr.training.distributed) all train, and the main one does the rest.

    Returns:
        The metrics of the model; None in the other processes.

    Raises:
        DataError, LabelError, ValueError: The data or the settings cannot be used.
        ExportError: The exported file does not compute what the trained network does.
    """
    start = time.monotonic()
    folder = output.partial(settings.output)
    with distributed.joined():
        if settings.resume and distributed.from_main(lambda: _is_complete(settings.output)):
            print(f"The run in {str(settings.output)!r} is complete already; nothing was done.")
            return read_metrics(settings.output)
        distributed.from_main(
            lambda: output.check(settings.output, settings.resume, settings.overwrite)
        )
        learner.seed_everything(settings.seed)
        # Before the data: a wrong --arch should not cost a decoding.
        net = distributed.main_first(lambda: _make_net(settings))
        place = distributed.from_main(lambda: kaggle.locate(settings.data))
        run = distributed.main_first(lambda: data.load(settings, place))
        progress = _progress(settings, run)
        distributed.from_main(lambda: _open_folder(settings, run))
        boxes = data.describe_boxes(run, settings)
        fitted = _fit(settings, net, run, progress) if settings.trains else {}
    if not distributed.is_main():
        return None

    print("Exporting: ONNX, safetensors, fastai ...")
    real_images = run.images.cache.images(run.rows(splits.VALID)[:_PARITY_IMAGES])
    export.export(net, settings.image_size, folder, real_images)
    training = record.make(settings, run, boxes, fitted)
    config = choose.choose(settings, run, folder, training)
    predictor = Predictor(Model(folder, settings.output.name), config)
    metrics = measuring.measure(
        predictor,
        measuring.Request(
            data=run.data,
            rows=run.rows(splits.TEST),
            read=run.reader(),
            boxes=run.images.boxes,
            train=run.rows(splits.TRAIN),
            seen=run.splits(),
            name=settings.data.name,
            notes=[],
        ),
        folder,
    )
    examples.write(folder, predictor, run.data, run.split)
    config = config.replace(metrics=metrics.headline())
    atomic.write_text(folder / model_folder.CARD, model_card.render(config, metrics))
    write_config(folder / model_folder.CONFIG, config)  # last: it makes the folder complete
    output.finish(settings.output)
    print(summary.table(metrics))
    print(
        f"\nModel folder: {settings.output} ({(time.monotonic() - start) / 60:.0f} minutes)\n"
        f"Try it:       python app.py --model {settings.output}\n"
        f"{model_folder.NOT_FOR_CLINICAL_USE}"
    )
    return metrics


def _is_complete(folder: Path) -> bool:
    """Whether a run is complete; moves the model to its place if only that is missing."""
    if output.is_finished(output.partial(folder)):
        output.finish(folder)
    return output.is_finished(folder) and not output.is_interrupted(folder)


def _make_net(settings: Settings) -> HeatmapNet:
    """The network before training. Raises ValueError or OSError with one sentence."""
    if not settings.start:
        return HeatmapNet(settings.arch)
    for folder in settings.start:
        model_folder.load(folder)  # checks it
    net = average(settings.start)
    if net.architecture != settings.arch:
        raise ValueError(
            f"--start names a network with the backbone {net.architecture!r}; name it with --arch."
        )
    return net


def _progress(settings: Settings, run: RunData) -> Progress:
    """The progress of the training to resume, or that of a new one, which has none.

    Raises CheckpointError if it was started with other options or images.
    """
    of_image = run.images.boxes.of_image
    fingerprint = {
        "--arch": settings.arch,
        "--image-size": settings.image_size,
        "--epochs": settings.epochs,
        "--freeze-epochs": settings.freeze_epochs,
        "--lr": settings.lr,
        "--recipe": settings.recipe,
        "--mirror": settings.mirror,
        "--seed": settings.seed,
        "--start": [str(folder) for folder in settings.start],
        "split or set of images": _digest([run.images.names, run.split.tolist()]),
        "list of boxes": _digest([of_image[name] for name in sorted(of_image)]),
        "number of processes": distributed.processes(),
    }
    if not settings.resume:
        return Progress(fingerprint)
    found = checkpoint.read(output.partial(settings.output) / checkpoint.FILE, fingerprint)
    if not found:
        print("Note: there is no finished epoch to resume from; the training starts again.")
        return Progress(fingerprint)
    epochs = settings.freeze_epochs + settings.epochs
    print(f"Resuming after {len(found.history)} of {epochs} epochs.")
    return found


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _open_folder(settings: Settings, run: RunData) -> None:
    """Makes the folder in which the run works, with splits.csv, and prints the split."""
    data.check_start(run, settings.start)
    output.begin(settings.output, settings.resume)
    folder = output.partial(settings.output)
    splits.write(folder / model_folder.SPLITS, run.data, run.split)
    data.print_split(run)


def _fit(settings: Settings, net: HeatmapNet, run: RunData, progress: Progress) -> dict[str, Any]:
    """Trains the network in place and draws the plots of the training; returns rate and speed."""
    folder = output.partial(settings.output)
    plotted = folder / model_folder.FIGURES
    train, valid = run.rows(splits.TRAIN), run.rows(splits.VALID)
    if not settings.start:
        net.start_from(choose.prevalence(run.data.targets[train]))
    machine.keep_freed_memory()
    dls = loaders.make_dls(
        run.images, train, valid, learner.batch_size(), settings.recipe, settings.mirror
    )
    if distributed.is_main():
        plots.batch(dls, plotted / model_folder.BATCH)
    else:  # otherwise all processes would draw the same augmentation
        learner.seed_everything(settings.seed + distributed.rank())
    use_boxes = run.images.boxes.of_image and settings.recipe != ARTICLE
    with distributed.own_folder(folder) as own:
        learn = learner.make_learner(dls, net, learner.BOX_WEIGHT if use_boxes else 0.0, own)
        rate = progress.rate or settings.lr
        if not rate:
            rate = distributed.from_main(lambda: _find_rate(learn, plotted))
        progress = replace(progress, rate=rate)
        start = time.monotonic()
        with distributed.shared(learn):
            history = learner.fit(
                learn,
                settings.epochs,
                settings.freeze_epochs,
                folder / checkpoint.FILE,
                progress,
            )
        seconds = time.monotonic() - start
    if distributed.is_main():
        plots.history(history, plotted / "history.png")
    trained = (len(history) - len(progress.history)) * len(train)
    return {
        "learning_rate": rate,
        "device": str(dls.device),
        "processes": distributed.processes(),
        "images_per_second": round(trained / seconds, 1) if trained else None,
    }


def _find_rate(learn: Learner, plotted: Path) -> float:
    rate, tried = learner.find_rate(learn, FINDER_STEPS)
    plots.learning_rate(tried, rate, plotted / "learning_rate.png")
    print(f"Learning rate: {rate:g}")
    return rate
