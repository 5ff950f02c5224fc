"""The plots of a training run and of an evaluation, as PNG files.

They are drawn without pyplot, whose state is shared between threads. An evaluation's plots draw
the 15 labels in their order, five to a panel or one to a cell, in colours that most colour-blind
readers can tell apart (Okabe and Ito, "Color universal design", 2008). What is undefined is drawn
as that word.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import precision_recall_curve, roc_curve

from cxr import atomic
from cxr.evaluation import form, thresholds
from cxr.model.metrics import Estimate, Finding, Metrics, Subgroups
from cxr_labels import FINDINGS, LABELS

if TYPE_CHECKING:
    import pandas as pd

_DPI = 110
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#222222")  # five to a panel
_BLUE, _ORANGE, _INK, _FAINT, _GRID = "#0072b2", "#d55e00", "#333333", "#9a9a9a", "#e4e4e4"
_PANEL = 5  # labels in a panel, cells in a row


def batch(dls: Any, path: Path) -> None:
    """Nine training images as the network sees them, augmented, with labels and boxes.

    Args:
        dls: fastai's DataLoaders; fastai is not imported here, because evaluation works without.
        path: PNG file.
    """
    images, targets, box_maps = (part.cpu().numpy() for part in dls.train.one_batch())
    figure = Figure(figsize=(9, 10), layout="tight")
    axes = list(figure.subplots(3, 3).flat)
    for axis in axes:
        axis.axis("off")
    for axis, image, target, maps in zip(axes, images, targets, box_maps, strict=False):
        axis.imshow(image[0], cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
        names = [LABELS[k] for k in np.flatnonzero(target)]
        axis.set_title(",\n".join(", ".join(names[k : k + 2]) for k in range(0, len(names), 2)))
        axis.title.set_fontsize(8)
        for box_map in maps:
            _draw_box(axis, box_map)
    figure.suptitle("A batch as the model sees it")
    _save(figure, path)


def learning_rate(tried: "pd.DataFrame", chosen: float, path: Path) -> None:
    """The learning-rate finder.

    Args:
        tried: Columns rate and loss.
        chosen: The rate that was chosen.
        path: PNG file.
    """
    figure = Figure(figsize=(7, 4), layout="tight")
    axis = figure.subplots()
    axis.plot(tried.rate, tried.loss)
    axis.axvline(chosen, color="C1", linestyle="--", label=f"chosen: {chosen:.1e}")
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss", title="Learning-rate finder")
    axis.legend()
    _save(figure, path)


def history(table: "pd.DataFrame", path: Path) -> None:
    """Loss and AUROC over the epochs.

    Args:
        table: As `learner.fit` returns it.
        path: PNG file.
    """
    figure = Figure(figsize=(10, 4), layout="tight")
    left, right = figure.subplots(1, 2)
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
                " backbone unfrozen",
                (frozen + 0.5, 0.02),
                xycoords=("data", "axes fraction"),
                color="grey",
            )
    _save(figure, path)


def evaluation(
    metrics: Metrics, targets: np.ndarray, probabilities: np.ndarray, folder: Path
) -> dict[str, Path]:
    """Draws all plots of an evaluation.

    Args:
        metrics: Of the images.
        targets: 0 or 1, [N, 15].
        probabilities: At the training prevalence, at which the thresholds are, [N, 15].
        folder: For the PNG files.

    Returns:
        {name: file}.
    """
    names = "auroc", "roc", "precision_recall", "reliability", "thresholds", "accuracy", "subgroups"
    files = {name: folder / f"{name}.png" for name in names}
    findings = metrics.findings
    aurocs(findings, files["auroc"])
    _roc(findings, targets, probabilities, files["roc"])
    _precision_recall(findings, targets, probabilities, files["precision_recall"])
    _reliability(findings, files["reliability"])
    _operating_points(findings, targets, probabilities, files["thresholds"])
    tried, accuracies, _ = thresholds.accuracy_curve(targets, probabilities)
    constants = {
        "predicting nothing": metrics.baselines.predict_nothing,
        'always "No Finding"': metrics.baselines.always_no_finding,
    }
    chosen = metrics.accuracy_threshold
    accuracy_curve(tried, accuracies, chosen, constants, files["accuracy"], "images evaluated")
    _subgroups(metrics.subgroups, files["subgroups"])
    return files


def accuracy_curve(
    thresholds: np.ndarray,
    accuracies: np.ndarray,
    chosen: float | None,
    constants: dict[str, float],
    path: Path,
    images: str = "validation images",
) -> None:
    """Accuracy over the 15 labels against the threshold, with what constant answers reach.

    Args:
        thresholds: [T].
        accuracies: [T].
        chosen: The threshold that was chosen.
        constants: {constant answer: its accuracy}.
        path: PNG file.
        images: On which images it was measured.
    """
    figure = Figure(figsize=(7, 4.2), layout="tight")
    axis = figure.subplots()
    axis.plot(thresholds, accuracies, color=_BLUE, label=f"model, {images}")
    if chosen is not None:
        reached = float(np.interp(chosen, thresholds, accuracies))
        name = f"chosen: {chosen:.2f} ({form.percent(reached)})"
        axis.plot([chosen], [reached], "o", color=_ORANGE, label=name)
    for (name, value), style in zip(constants.items(), ("--", ":"), strict=False):
        label = f"{name} ({form.percent(value)})"
        axis.axhline(value, color=_INK, linestyle=style, label=label)
    axis.set_ylim(min(accuracies.max(), *constants.values()) - 0.08, 1.0)
    _style(axis, "Accuracy and threshold", "threshold (probability)", "accuracy over 15 labels")
    axis.legend(loc="lower right", fontsize=9, edgecolor="none")
    _save(figure, path)


def aurocs(findings: Mapping[str, Finding], path: Path) -> None:
    """AUROC of each label with its interval, highest first."""
    names = sorted(findings, key=lambda k: x.value if (x := findings[k].auroc) else 0.0)
    figure = Figure(figsize=(7, 5), layout="tight")
    axis = figure.subplots()
    for row, label in enumerate(names):
        _dot(axis, findings[label].auroc, row)
    axis.axvline(0.5, color=_FAINT, linestyle=":")
    rows = [f"{form.display(k)} ({form.images(findings[k].positives)})" for k in names]
    axis.set_yticks(range(len(names)), rows)
    axis.set(xlim=_limits([findings[k].auroc for k in names], 0.4, 1.0), ylim=(-0.7, len(names)))
    axis.grid(axis="x", color=_GRID, linewidth=0.6)
    _style(axis, "AUROC of each label", "AUROC, 95 % interval over patients (0.5: by chance)", "")
    _save(figure, path)


def _roc(
    findings: Mapping[str, Finding], targets: np.ndarray, scores: np.ndarray, path: Path
) -> None:
    figure, panels = _panels("ROC curves (number: AUROC)", "1 - specificity", "sensitivity")
    for axis, label, colour, k in panels:
        curve: tuple = ([], [])
        if findings[label].auroc:
            curve = roc_curve(targets[:, k], scores[:, k])[:2]
        name = _named(label, findings[label].auroc)
        axis.plot(*curve, color=colour, linewidth=1.4, label=name)
    for axis in figure.axes:
        axis.plot([0, 1], [0, 1], color=_FAINT, linestyle=":", linewidth=1)
    _finish_panels(figure, path)


def _precision_recall(
    findings: Mapping[str, Finding], targets: np.ndarray, scores: np.ndarray, path: Path
) -> None:
    figure, panels = _panels(
        "Precision and recall (number: average precision; dotted: share of images with the label)",
        "recall (sensitivity)",
        "precision, in these images",
    )
    for axis, label, colour, k in panels:
        precision, recall = [], []
        if findings[label].average_precision:
            precision, recall, _ = precision_recall_curve(
                targets[:, k], scores[:, k], drop_intermediate=True
            )
        name = _named(label, findings[label].average_precision)
        axis.step(recall, precision, color=colour, linewidth=1.4, where="post", label=name)
        axis.axhline(targets[:, k].mean(), color=colour, linestyle=":", linewidth=1)
    _finish_panels(figure, path)


def _reliability(findings: Mapping[str, Finding], path: Path) -> None:
    figure, cells = _cells(
        "Reliability at the stated prevalence (area of a point: weight of its images; number: ECE)",
        "predicted probability",
        "share observed",
    )
    for axis, label in zip(cells, LABELS, strict=True):
        bins = findings[label].reliability
        title = _named(label, findings[label].ece)
        if not bins:
            _empty_cell(axis, title)
            continue
        predicted, observed, weight = np.array(
            [(b.predicted, b.observed, b.weight) for b in bins]
        ).T
        end = _round_up(max(predicted.max(), observed.max()))
        axis.plot([0, end], [0, end], color=_FAINT, linestyle=":", linewidth=1)
        axis.plot(predicted, observed, color=_BLUE, linewidth=0.8)
        axis.scatter(predicted, observed, s=250 * weight, color=_BLUE, linewidths=0)
        _finish_cell(axis, title, end, end)
    _save(figure, path)


def _operating_points(
    findings: Mapping[str, Finding], targets: np.ndarray, scores: np.ndarray, path: Path
) -> None:
    figure, cells = _cells(
        "Sensitivity and specificity against the threshold (number: the chosen threshold)",
        "threshold (probability at training prevalence)",
        "share of images",
    )
    for k, (axis, label) in enumerate(zip(cells, FINDINGS, strict=False)):
        chosen, positive = findings[label].threshold, targets[:, k].astype(bool)
        end = _round_up(max(float(scores[:, k].max()), chosen or 0.0))
        tried = np.linspace(0, end, 201)
        flagged = scores[:, k, None] >= tried
        if positive.any():
            axis.plot(tried, flagged[positive].mean(0), color=_BLUE, label="sensitivity")
        if not positive.all():
            axis.plot(tried, 1 - flagged[~positive].mean(0), color=_ORANGE, label="specificity")
        if chosen is not None:
            axis.axvline(chosen, color=_INK, linestyle="--", linewidth=1, label="chosen")
        title = f"{form.display(label)}  {'none chosen' if chosen is None else f'{chosen:.3f}'}"
        _finish_cell(axis, title, end, 1)
    last = figure.axes[len(FINDINGS)]
    last.axis("off")
    last.legend(*figure.axes[0].get_legend_handles_labels(), fontsize=9, frameon=False)
    _save(figure, path)


def _subgroups(subgroups: Subgroups, path: Path) -> None:
    groups = [
        (f"{by} {name} ({form.images(group.images)})", group)
        for by, members in subgroups.by().items()
        for name, group in members.items()
    ]
    figure = Figure(figsize=(10, 2 + 0.3 * len(groups)), layout="tight")
    axes = figure.subplots(1, 3, sharey=True)
    figure.suptitle("Groups of patients, 95 % intervals over patients", fontsize=11, color=_INK)
    for axis, key in zip(axes, ("mean_auroc", "sensitivity", "underdiagnosis"), strict=True):
        found = [getattr(group, key) for _, group in groups]
        for row, estimate in enumerate(found):
            _dot(axis, estimate, row)
        axis.set(xlim=_limits(found, 0.4, 0.6, 0.1), ylim=(len(groups) - 0.3, -0.7))
        axis.grid(axis="x", color=_GRID, linewidth=0.6)
        _style(axis, "", key.replace("_auroc", " AUROC"), "")
    axes[0].set_yticks(range(len(groups)), [name for name, _ in groups])
    _save(figure, path)


def _panels(title: str, x: str, y: str) -> tuple[Figure, Iterator[tuple[Axes, str, str, int]]]:
    """Three panels of five labels; yields panel, label, colour and number for each label."""
    figure = Figure(figsize=(10, 5), layout="tight")
    figure.suptitle(title, fontsize=11, color=_INK)
    axes = figure.subplots(1, len(LABELS) // _PANEL, sharey=True)
    for axis in axes:
        _style(axis, "", x, y if axis is axes[0] else "")
    return figure, (
        (axes[k // _PANEL], label, _COLOURS[k % _PANEL], k) for k, label in enumerate(LABELS)
    )


def _finish_panels(figure: Figure, path: Path) -> None:
    for axis in figure.axes:
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axis.grid(color=_GRID, linewidth=0.6)
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.19), fontsize=9, frameon=False)
    _save(figure, path)


def _cells(title: str, x: str, y: str) -> tuple[Figure, list[Axes]]:
    """A small plot for each label."""
    figure = Figure(figsize=(10, 6.4))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.1, top=0.89, hspace=0.5, wspace=0.3)
    figure.suptitle(title, fontsize=11, color=_INK)
    figure.supxlabel(x, fontsize=9, color=_INK)
    figure.supylabel(y, fontsize=9, color=_INK)
    return figure, list(figure.subplots(len(LABELS) // _PANEL, _PANEL).flat)


def _finish_cell(axis: Axes, title: str, x_end: float, y_end: float) -> None:
    axis.set_title(title, fontsize=9)
    axis.set(xlim=(0, x_end), ylim=(0, y_end * 1.02))
    axis.set_xticks([0, x_end], ["0", f"{x_end:g}"], fontsize=8)
    axis.set_yticks([0, y_end], ["0", f"{y_end:g}"], fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _empty_cell(axis: Axes, title: str) -> None:
    _finish_cell(axis, title, 1, 1)
    axis.text(0.5, 0.5, "undefined", ha="center", fontsize=9, color=_FAINT)


def _dot(axis: Axes, found: Estimate | None, row: float) -> None:
    """A metric in its row, with its interval if it has one."""
    if found is None:
        place = axis.get_yaxis_transform()
        axis.text(0.5, row, "undefined", ha="center", va="center", transform=place, color=_FAINT)
        return
    if found.ci95:
        axis.plot(found.ci95, [row, row], color=_BLUE, linewidth=2, solid_capstyle="round")
    face = _BLUE if found.ci95 else "white"
    axis.plot([found.value], [row], "o", color=_BLUE, markerfacecolor=face, clip_on=False)


def _limits(
    found: list[Estimate | None], low: float, high: float, margin: float = 0.02
) -> tuple[float, float]:
    """Ends of an axis that shows all metrics with their intervals, and at least low to high."""
    seen = [end for one in found if one for end in (one.value, *(one.ci95 or ()))]
    return max(0.0, min([low, *seen]) - margin), min(1.0, max([high, *seen]) + margin)


def _style(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title, fontsize=11, color=_INK)
    axis.set_xlabel(x, fontsize=9, color=_INK)
    axis.set_ylabel(y, fontsize=9, color=_INK)
    axis.tick_params(labelsize=9, color=_FAINT)
    axis.spines[["top", "right"]].set_visible(False)


def _named(label: str, found: Estimate | None) -> str:
    return f"{form.display(label)}  {form.number(found.value) if found else 'undefined'}"


def _round_up(value: float) -> float:
    """The least of 0.001, 0.002, 0.005, 0.01 ... 1 that is not below the value."""
    ends = [digit * 10.0**power for power in (-3, -2, -1) for digit in (1, 2, 5)]
    return next((end for end in ends if end >= value), 1.0)


def _draw_box(axis: Axes, box_map: np.ndarray) -> None:
    rows, columns = np.flatnonzero(box_map.max(1) > 0.5), np.flatnonzero(box_map.max(0) > 0.5)
    if len(rows) and len(columns):
        cell = 1 / len(box_map)
        corner = (columns[0] * cell, rows[0] * cell)
        wide, tall = (columns[-1] - columns[0] + 1) * cell, (rows[-1] - rows[0] + 1) * cell
        axis.add_patch(Rectangle(corner, wide, tall, fill=False, edgecolor="orange"))


def _save(figure: Figure, path: Path) -> None:
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=_DPI)
