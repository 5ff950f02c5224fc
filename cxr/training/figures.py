"""The figures of a run, as PNG files."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # training runs on machines without a screen

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from fastai.data.core import DataLoaders
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import cxr_labels
from cxr import atomic

# Shows films: for run folders, not for a repository.
BATCH = "batch.png"


def batch(dls: DataLoaders, path: Path) -> None:
    """Nine training films as the network sees them, augmented, with labels and boxes."""
    films, targets, box_maps = (part.cpu().numpy() for part in dls.train.one_batch())
    figure, axes = plt.subplots(3, 3, figsize=(9, 10), squeeze=False)
    for i, axis in enumerate(axes.flat):
        axis.axis("off")
        if i >= len(films):
            continue
        axis.imshow(films[i, 0], cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
        names = [cxr_labels.LABELS[k] for k in np.flatnonzero(targets[i])]
        axis.set_title(_wrap(names), fontsize=8)
        for box_map in box_maps[i]:
            _draw_box(axis, box_map)
    figure.suptitle("A batch as the model sees it")
    _save(figure, path)


def learning_rate(tried: pd.DataFrame, chosen: float, path: Path) -> None:
    """The learning-rate finder. tried: columns rate and loss."""
    figure, axis = plt.subplots(figsize=(7, 4))
    axis.plot(tried.rate, tried.loss)
    axis.axvline(chosen, color="C1", linestyle="--", label=f"chosen: {chosen:.1e}")
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss", title="Learning-rate finder")
    axis.legend()
    _save(figure, path)


def history(table: pd.DataFrame, path: Path) -> None:
    """Loss and AUROC over the epochs. table: as learner.fit returns it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(table.epoch, table.train_loss, marker="o", label="training")
    left.plot(table.epoch, table.valid_loss, marker="o", label="validation")
    left.set(xlabel="epoch", ylabel="loss", title="Loss")
    left.legend()
    right.plot(table.epoch, table.mean_auroc, marker="o", color="C2")
    right.set(xlabel="epoch", ylabel="mean AUROC", title="AUROC on validation patients")
    frozen = int((table.phase == "frozen").sum())
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
        if 0 < frozen < len(table):
            axis.axvline(frozen + 0.5, color="grey", linestyle=":")
            axis.annotate(
                " body thaws",
                (frozen + 0.5, 0.02),
                xycoords=("data", "axes fraction"),
                color="grey",
            )
    _save(figure, path)


def accuracy_curve(
    thresholds: np.ndarray,
    accuracies: np.ndarray,
    chosen: float,
    constants: dict[str, float],
    path: Path,
) -> None:
    """Accuracy over the 15 labels against the threshold, with what constant answers reach."""
    figure, axis = plt.subplots(figsize=(7, 4.5))
    axis.plot(thresholds, accuracies, label="model, validation films")
    best = float(accuracies[np.abs(thresholds - chosen).argmin()])
    axis.plot([chosen], [best], "o", color="C3", label=f"chosen: {chosen:.2f} ({100 * best:.1f} %)")
    for (name, value), style in zip(constants.items(), ("--", ":"), strict=False):
        axis.axhline(value, color="grey", linestyle=style, label=f"{name} ({100 * value:.1f} %)")
    axis.set(xlabel="threshold", ylabel="accuracy over 15 labels", title="Accuracy and threshold")
    axis.set_ylim(min(accuracies.max(), *constants.values()) - 0.08, 1.0)
    axis.legend(loc="lower right", fontsize=8)
    _save(figure, path)


def aurocs(findings: dict[str, dict], path: Path) -> None:
    """AUROC of each label on the test patients with its interval. findings: of metrics.json."""
    known = {k: v for k, v in findings.items() if v["auroc"] is not None}
    names = sorted(known, key=lambda name: known[name]["auroc"])
    figure, axis = plt.subplots(figsize=(7, 5))
    for row, name in enumerate(names):
        value, interval = known[name]["auroc"], known[name]["auroc_ci95"]
        axis.plot([value], [row], "o", color="C0")
        if interval:
            axis.plot(interval, [row, row], color="C0")
    axis.axvline(0.5, color="grey", linestyle=":")
    labels = [f"{cxr_labels.DISPLAY[n]} ({known[n]['positives']} films)" for n in names]
    axis.set_yticks(range(len(names)), labels)
    axis.set(xlabel="AUROC, 95 % interval over patients", title="Test patients", xlim=(0.3, 1.0))
    _save(figure, path)


def _draw_box(axis: Axes, box_map: np.ndarray) -> None:
    rows, columns = np.flatnonzero(box_map.max(1) > 0.5), np.flatnonzero(box_map.max(0) > 0.5)
    if len(rows) and len(columns):
        cell = 1 / len(box_map)
        corner = (columns[0] * cell, rows[0] * cell)
        wide, tall = (columns[-1] - columns[0] + 1) * cell, (rows[-1] - rows[0] + 1) * cell
        axis.add_patch(Rectangle(corner, wide, tall, fill=False, edgecolor="orange"))


def _wrap(names: list[str]) -> str:
    half = (len(names) + 1) // 2 if len(names) > 2 else len(names)
    return "\n".join(", ".join(part) for part in (names[:half], names[half:]) if part)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=110)
    plt.close(figure)
