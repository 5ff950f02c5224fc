"""The figures of a run and of an evaluation, as PNG files.

Figures are made without pyplot, whose state is shared between threads. Those of an evaluation all
use one look: 15 labels are drawn five to a panel or one to a cell, in label order and in colours
that most colour-blind readers tell apart (Okabe and Ito, "Color universal design", 2008).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

import cxr_labels
from cxr import atomic
from cxr.evaluation import thresholds
from cxr_labels import DISPLAY, FINDINGS, LABELS

if TYPE_CHECKING:  # evaluating needs neither fastai nor its seconds of import
    import pandas as pd
    from fastai.data.core import DataLoaders

_DPI = 110
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#222222")  # five to a panel
_BLUE, _ORANGE, _INK, _FAINT = "#0072b2", "#d55e00", "#333333", "#9a9a9a"
_PANEL = 5  # labels in a panel, cells in a row
_CELL = (1.25, 1.4)  # from cell to cell, in sides of one
_TICKS = (0, 0.25, 0.5, 0.75, 1)
_NOTHING = np.zeros(0)
_POINTS = 200  # of a curve, by each of its two axes: more is not seen


def batch(dls: "DataLoaders", path: Path) -> None:
    """Nine training images as the network sees them, augmented, with labels and boxes."""
    images, targets, box_maps = (part.cpu().numpy() for part in dls.train.one_batch())
    figure = Figure(figsize=(9, 10))
    for i, axis in enumerate(figure.subplots(3, 3, squeeze=False).flat):
        axis.axis("off")
        if i >= len(images):
            continue
        axis.imshow(images[i, 0], cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
        names = [cxr_labels.LABELS[k] for k in np.flatnonzero(targets[i])]
        axis.set_title(_wrap(names), fontsize=8)
        for box_map in box_maps[i]:
            _draw_box(axis, box_map)
    figure.suptitle("A batch as the model sees it")
    figure.tight_layout()
    _save(figure, path)


def learning_rate(tried: "pd.DataFrame", chosen: float, path: Path) -> None:
    """The learning-rate finder. tried: columns rate and loss."""
    figure = Figure(figsize=(7, 4))
    axis = figure.subplots()
    axis.plot(tried.rate, tried.loss)
    axis.axvline(chosen, color="C1", linestyle="--", label=f"chosen: {chosen:.1e}")
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss", title="Learning-rate finder")
    axis.legend()
    figure.tight_layout()
    _save(figure, path)


def history(table: "pd.DataFrame", path: Path) -> None:
    """Loss and AUROC over the epochs. table: as learner.fit returns it."""
    figure = Figure(figsize=(10, 4))
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
                " body thaws",
                (frozen + 0.5, 0.02),
                xycoords=("data", "axes fraction"),
                color="grey",
            )
    figure.tight_layout()
    _save(figure, path)


def evaluation(
    metrics: dict[str, Any], targets: np.ndarray, probabilities: np.ndarray, folder: Path
) -> dict[str, Path]:
    """Draws every figure of an evaluation into `folder`; returns {name: file}.

    metrics: the content of metrics.json. targets: 0 or 1, [N, 15]. probabilities: [N, 15] at the
    training prevalence, at which the thresholds are. What is undefined is drawn as that word.
    """
    names = (
        "auroc",
        "roc",
        "precision_recall",
        "reliability",
        "thresholds",
        "accuracy",
        "subgroups",
    )
    files = {name: folder / f"{name}.png" for name in names}
    findings = metrics["findings"]
    curves = {label: _Curve(targets[:, k], probabilities[:, k]) for k, label in enumerate(LABELS)}
    aurocs(findings, files["auroc"])
    _roc(findings, curves, files["roc"])
    _precision_recall(findings, curves, files["precision_recall"])
    _reliability(metrics, files["reliability"])
    _operating_points(findings, curves, files["thresholds"])
    tried, accuracies, _ = thresholds.accuracy_curve(targets, probabilities)
    constants = {
        "predicting nothing": metrics["baselines"]["predict_nothing"],
        'always "No Finding"': metrics["baselines"]["always_no_finding"],
    }
    chosen = metrics["accuracy_threshold"]
    accuracy_curve(tried, accuracies, chosen, constants, files["accuracy"], "images evaluated")
    _subgroups(metrics["subgroups"], files["subgroups"])
    return files


def accuracy_curve(
    thresholds: np.ndarray,
    accuracies: np.ndarray,
    chosen: float | None,
    constants: dict[str, float],
    path: Path,
    images: str = "validation images",
) -> None:
    """Accuracy over the 15 labels against the threshold, with what constant answers reach."""
    figure, axis = _single(7, 4.2, left=0.11, bottom=0.13)
    axis.plot(thresholds, accuracies, color=_BLUE, label=f"model, {images}")
    if chosen is not None:
        reached = float(np.interp(chosen, thresholds, accuracies))
        name = f"chosen: {chosen:.2f} ({100 * reached:.1f} %)"
        axis.plot([chosen], [reached], "o", color=_ORANGE, label=name)
    for (name, value), style in zip(constants.items(), ("--", ":"), strict=False):
        axis.axhline(value, color=_INK, linestyle=style, label=f"{name} ({100 * value:.1f} %)")
    axis.set_ylim(min(accuracies.max(), *constants.values()) - 0.08, 1.0)
    _name(axis, "Accuracy and threshold", "threshold (probability)", "accuracy over 15 labels")
    axis.legend(loc="lower right", fontsize=9, edgecolor="none")
    _save(figure, path)


def aurocs(findings: dict[str, dict], path: Path) -> None:
    """AUROC of each label with its interval, highest first. findings: of metrics.json."""
    known = [label for label, found in findings.items() if found["auroc"] is not None]
    known.sort(key=lambda label: findings[label]["auroc"])
    names = [label for label in findings if label not in known] + known
    figure, axis = _single(7, 5, left=0.33, bottom=0.11)
    lowest = 0.4
    for row, label in enumerate(names):
        value, interval = findings[label]["auroc"], findings[label]["auroc_ci95"]
        if value is None:
            axis.text(0.51, row, "undefined", va="center", fontsize=9, color=_FAINT)
            continue
        _point(axis, value, interval, row)
        lowest = min(lowest, value, *(interval or ()))
    axis.axvline(0.5, color=_FAINT, linestyle=":")
    labels = [f"{DISPLAY[name]} ({_images(findings[name]['positives'])})" for name in names]
    axis.set_yticks(range(len(names)), labels)
    axis.set(xlim=(max(0.0, lowest - 0.02), 1.0), ylim=(-0.7, len(names) - 0.3))
    axis.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    _name(axis, "AUROC of each label", "AUROC, 95 % interval over patients (0.5: by chance)", "")
    _save(figure, path)


class _Curve:
    """What each threshold does to one label, from the highest score to the lowest.

    scores, precision, sensitivity and specificity: [n], of flagging at or above the score;
    sensitivity or specificity is None without images to take the share of.
    """

    def __init__(self, target: np.ndarray, score: np.ndarray) -> None:
        order = np.argsort(-score, kind="stable")
        falling, hits = score[order], target[order].astype(np.int64)
        ends = np.flatnonzero(np.r_[falling[1:] != falling[:-1], True][: len(falling)])
        true = hits.cumsum()[ends]
        flagged = ends + 1
        false = flagged - true
        keep = np.union1d(_evenly(true), _evenly(false))
        self.images, self.positives = len(hits), int(hits.sum())
        negatives = self.images - self.positives
        self.scores = falling[ends][keep]
        self.precision = true[keep] / flagged[keep]
        self.sensitivity = true[keep] / self.positives if self.positives else None
        self.specificity = 1 - false[keep] / negatives if negatives else None

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """1 - specificity and sensitivity, from the corner where nothing is flagged."""
        if self.sensitivity is None or self.specificity is None:
            return _NOTHING, _NOTHING
        return np.r_[0, 1 - self.specificity], np.r_[0, self.sensitivity]

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Recall, and the precision that first reaches it: the steps of average precision."""
        if self.sensitivity is None or self.specificity is None:
            return _NOTHING, _NOTHING
        rises = np.diff(self.sensitivity, prepend=0) > 0
        precision = self.precision[rises]
        return np.r_[0, self.sensitivity[rises]], np.r_[precision[0], precision]


def _evenly(rising: np.ndarray) -> np.ndarray:
    """Places of at most _POINTS values, evenly spread from the first to the last."""
    if not len(rising):
        return np.zeros(0, np.int64)
    wanted = np.linspace(rising[0], rising[-1], _POINTS)
    return np.r_[0, np.searchsorted(rising, wanted), len(rising) - 1]


def _roc(findings: dict[str, dict], curves: dict[str, _Curve], path: Path) -> None:
    figure, axes = _panels("ROC curves (number: AUROC)")
    for axis, labels in axes:
        axis.plot([0, 1], [0, 1], color=_FAINT, linestyle=":", linewidth=1)
        for label, colour in zip(labels, _COLOURS, strict=True):
            name = _valued(label, findings[label]["auroc"])
            axis.plot(*curves[label].roc(), color=colour, linewidth=1.4, label=name)
        _finish_panel(axis, "1 - specificity")
    axes[0][0].set_ylabel("sensitivity", fontsize=9, color=_INK)
    _save(figure, path)


def _precision_recall(findings: dict[str, dict], curves: dict[str, _Curve], path: Path) -> None:
    figure, axes = _panels(
        "Precision and recall (number: average precision; dotted: share of images with the label)"
    )
    for axis, labels in axes:
        for label, colour in zip(labels, _COLOURS, strict=True):
            curve = curves[label]
            axis.plot(
                *curve.precision_recall(),
                color=colour,
                linewidth=1.4,
                drawstyle="steps-pre",
                label=_valued(label, findings[label]["average_precision"]),
            )
            if curve.images:
                share = curve.positives / curve.images
                axis.axhline(share, color=colour, linestyle=":", linewidth=1)
        _finish_panel(axis, "recall (sensitivity)")
    axes[0][0].set_ylabel("precision, in these images", fontsize=9, color=_INK)
    _save(figure, path)


def _reliability(metrics: dict[str, Any], path: Path) -> None:
    figure, axis = _cells(
        "Reliability at the stated prevalence (area of a point: weight of its images; number: ECE)",
        "predicted probability",
        "share observed",
    )
    for place, label in enumerate(LABELS):
        bins = metrics["reliability"].get(label) or []
        bins = [b for b in bins if b["predicted"] is not None and b["observed"] is not None]
        title = _valued(label, metrics["findings"][label]["ece"])
        if not bins:
            _cell(axis, place, title)
            continue
        predicted, observed, weight = (
            np.array([b[key] for b in bins], np.float64)
            for key in ("predicted", "observed", "weight")
        )
        end = _round_up(max(predicted.max(), observed.max()))
        left, bottom = _cell(axis, place, title, f"{end:g}", f"{end:g}")
        x, y = left + predicted / end, bottom + observed / end
        axis.plot([left, left + 1], [bottom, bottom + 1], color=_FAINT, linestyle=":", linewidth=1)
        axis.plot(x, y, color=_BLUE, linewidth=0.8)
        axis.scatter(x, y, s=250 * weight / (weight.sum() or 1.0), color=_BLUE, linewidths=0)
    _save(figure, path)


def _operating_points(findings: dict[str, dict], curves: dict[str, _Curve], path: Path) -> None:
    figure, axis = _cells(
        "Sensitivity and specificity against the threshold (number: the chosen threshold)",
        "threshold (probability at training prevalence)",
        "share of images",
    )
    for place, label in enumerate(FINDINGS):
        curve, chosen = curves[label], findings[label]["threshold"]
        title = _valued(label, chosen, "none chosen")
        if not curve.images:
            _cell(axis, place, title)
            continue
        end = _round_up(max(float(curve.scores[0]), chosen or 0.0))
        left, bottom = _cell(axis, place, title, f"{end:g}", "1")
        x = left + np.r_[end, curve.scores, 0] / end
        style: dict[str, Any] = {"linewidth": 1.3, "drawstyle": "steps-post"}
        if curve.sensitivity is not None:
            axis.plot(x, bottom + np.r_[0, curve.sensitivity, 1], color=_BLUE, **style)
        if curve.specificity is not None:
            axis.plot(x, bottom + np.r_[1, curve.specificity, 0], color=_ORANGE, **style)
        if chosen is not None:
            at = left + chosen / end
            axis.plot([at, at], [bottom, bottom + 1], color=_INK, linestyle="--", linewidth=1)
    axis.legend(
        handles=[
            Line2D([], [], color=_BLUE, label="sensitivity"),
            Line2D([], [], color=_ORANGE, label="specificity"),
            Line2D([], [], color=_INK, linestyle="--", label="chosen"),
        ],
        loc="lower right",
        bbox_to_anchor=(0.99, 0.06),
        fontsize=9,
        frameon=False,
    )
    _save(figure, path)


def _subgroups(subgroups: dict[str, Any], path: Path) -> None:
    rows: list[tuple[float, str, dict]] = []
    for by in (by for by in subgroups if by != "gaps"):
        for name, group in subgroups[by].items():
            new = rows and not rows[-1][1].startswith(f"{by} ")
            row = rows[-1][0] + (1.7 if new else 1.0) if rows else 0.0
            rows.append((row, f"{by} {name} ({_images(group['images'])})", group))
    end = rows[-1][0] if rows else 2.0
    tall = 1.6 + 0.27 * end
    figure = Figure(figsize=(10, tall))
    axes = figure.subplots(1, 3, sharey=True)
    figure.subplots_adjust(left=0.2, right=0.98, wspace=0.12, bottom=0.6 / tall, top=1 - 0.5 / tall)
    figure.suptitle("Groups of patients, 95 % intervals over patients", fontsize=11, color=_INK)
    for axis, key in zip(axes, ("mean_auroc", "sensitivity", "underdiagnosis"), strict=True):
        seen = []
        for row, _, group in rows:
            if group[key] is None:
                axis.text(
                    0.5,
                    row,
                    "undefined",
                    transform=axis.get_yaxis_transform(),
                    va="center",
                    ha="center",
                    fontsize=9,
                    color=_FAINT,
                )
                continue
            _point(axis, group[key], group[f"{key}_ci95"], row)
            seen += [group[key], *(group[f"{key}_ci95"] or ())]
        low, high = min(seen, default=0.1) - 0.1, max(seen, default=0.9) + 0.1
        axis.set(xlim=(max(low, 0), min(high, 1)), ylim=(end + 0.6, -0.6))
        axis.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        _name(axis, "", key.replace("_auroc", " AUROC"), "")
        axis.tick_params(left=False)
        axis.locator_params(axis="x", nbins=5)
    axes[0].set_yticks([row for row, _, _ in rows], [name for _, name, _ in rows])
    _save(figure, path)


def _single(wide: float, tall: float, left: float, bottom: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(wide, tall))
    axis = figure.subplots()
    figure.subplots_adjust(left=left, right=0.97, bottom=bottom, top=0.91)
    return figure, axis


def _panels(title: str) -> tuple[Figure, list[tuple[Axes, tuple[str, ...]]]]:
    """Three panels with the five labels that each of them draws."""
    figure = Figure(figsize=(10, 5))
    figure.suptitle(title, fontsize=11, color=_INK)
    axes = figure.subplots(1, len(LABELS) // _PANEL, sharey=True)
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.37, top=0.92, wspace=0.1)
    parts = [LABELS[k : k + _PANEL] for k in range(0, len(LABELS), _PANEL)]
    return figure, list(zip(axes, parts, strict=True))


def _finish_panel(axis: Axes, x: str) -> None:
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    _name(axis, "", x, "")
    axis.grid(color="#e9e9e9", linewidth=0.6)
    axis.set(xticks=_TICKS, yticks=_TICKS)
    axis.legend(loc="upper left", bbox_to_anchor=(0, -0.19), fontsize=9, frameon=False)


def _cells(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """Room for 15 cells. They share one axes: fifteen take matplotlib half a second."""
    figure = Figure(figsize=(10, 6.4))
    figure.suptitle(title, fontsize=11, color=_INK)
    figure.supxlabel(x, fontsize=9, color=_INK)
    figure.supylabel(y, fontsize=9, color=_INK)
    axis = figure.add_axes((0.045, 0.06, 0.945, 0.87))
    rows = len(LABELS) // _PANEL
    axis.set(xlim=(-0.15, _PANEL * _CELL[0]), ylim=(-0.2, rows * _CELL[1] - 0.15))
    axis.axis("off")
    return figure, axis


def _cell(
    axis: Axes, place: int, title: str, x_end: str = "", y_end: str = ""
) -> tuple[float, float]:
    """Frames cell `place` with what stands at its ends; its lower left corner, sides 1 long.

    Without ends it says that nothing is defined there.
    """
    row, column = divmod(place, _PANEL)
    left, bottom = column * _CELL[0], (len(LABELS) // _PANEL - 1 - row) * _CELL[1]
    axis.plot([left, left, left + 1], [bottom + 1, bottom, bottom], color=_INK, linewidth=0.8)
    axis.text(left + 0.5, bottom + 1.06, title, ha="center", fontsize=9)
    if x_end:
        axis.text(left, bottom - 0.05, "0", ha="center", va="top", fontsize=8)
        axis.text(left + 1, bottom - 0.05, x_end, ha="center", va="top", fontsize=8)
        axis.text(left - 0.03, bottom + 1, y_end, ha="right", va="top", fontsize=8)
    else:
        axis.text(left + 0.5, bottom + 0.5, "undefined", ha="center", fontsize=9, color=_FAINT)
    return left, bottom


def _point(axis: Axes, value: float, interval: list[float] | None, row: float) -> None:
    """A figure of one row with its interval, where it has one."""
    if interval:
        axis.plot(interval, [row, row], color=_BLUE, linewidth=2, solid_capstyle="round")
    face = _BLUE if interval else "white"
    axis.plot([value], [row], "o", color=_BLUE, markerfacecolor=face, clip_on=False)


def _name(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title, fontsize=11, color=_INK)
    axis.set_xlabel(x, fontsize=9, color=_INK)
    axis.set_ylabel(y, fontsize=9, color=_INK)
    axis.tick_params(labelsize=9, color=_FAINT)
    axis.spines[["top", "right"]].set_visible(False)


def _valued(label: str, value: float | None, otherwise: str = "undefined") -> str:
    return f"{DISPLAY[label]}  {otherwise if value is None else f'{value:.3f}'}"


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


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


def _wrap(names: list[str]) -> str:
    half = (len(names) + 1) // 2 if len(names) > 2 else len(names)
    return "\n".join(", ".join(part) for part in (names[:half], names[half:]) if part)


def _save(figure: Figure, path: Path) -> None:
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=_DPI)
