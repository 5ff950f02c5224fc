"""What the plots show: the data, names and numbers of each figure before it becomes a PNG."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn import metrics as sklearn
from support import measured

from cxr.evaluation import plots, thresholds
from cxr_labels import DISPLAY, FINDINGS, LABELS

FULL = measured.full()
TARGETS, PROBABILITIES = measured.images(200)
PANELS = [LABELS[k : k + 5] for k in (0, 5, 10)]


@pytest.fixture
def drawn(monkeypatch):
    """{name of the PNG: figure} of all that is drawn; nothing is rendered."""
    figures = {}

    def keep(figure, path, **_):
        figures[path.name.strip(".").split(".")[0]] = figure

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture
def evaluation(drawn, tmp_path):
    """The figures of an evaluation."""
    files = plots.evaluation(FULL, TARGETS, PROBABILITIES, tmp_path)
    assert {name: path.name for name, path in files.items()} == {n: f"{n}.png" for n in drawn}
    return drawn


def data(line):
    """The points of a line, [2, N]."""
    return np.array(line.get_data(), float)


def line_of(axis, name):
    """The points of the line that the legend calls so."""
    [line] = [line for line in axis.lines if line.get_label() == name]
    return data(line)


def title(axis):
    return axis.get_title(), axis.get_xlabel(), axis.get_ylabel()


def test_auroc_plot_shows_each_label_from_the_lowest_to_the_highest(evaluation):
    """Each row has its label's value and interval; chance is marked, and nothing is cut off."""
    [axis] = evaluation["auroc"].axes
    names = [name.get_text().split(" (")[0] for name in axis.get_yticklabels()]
    by_name = {DISPLAY[label]: found.auroc for label, found in FULL.findings.items()}
    counts = {f"{DISPLAY[k]} ({found.positives} images)" for k, found in FULL.findings.items()}
    assert {name.get_text() for name in axis.get_yticklabels()} == counts
    values = [by_name[name].value for name in names]
    assert values == sorted(values)
    intervals = {y[0]: tuple(x) for x, y in map(data, axis.lines) if y[0] == y[-1] and len(x) == 2}
    assert intervals == {row: by_name[name].ci95 for row, name in enumerate(names)}
    dots = {y[0]: x[0] for x, y in map(data, axis.lines) if len(x) == 1}
    assert [dots[row] for row in range(len(names))] == values
    assert [0.5, 0.5] in [list(line.get_xdata()) for line in axis.lines]
    low, high = axis.get_xlim()
    assert low < min(one.ci95[0] for one in by_name.values())
    assert high > max(one.ci95[1] for one in by_name.values())
    assert axis.get_ylim()[0] < 0 < len(names) - 1 < axis.get_ylim()[1]


def test_roc_curves_are_those_of_scikit_learn(evaluation):
    """Each label's curve is in its panel, named with its AUROC, in a colour of its own there."""
    figure = evaluation["roc"]
    for axis, labels in zip(figure.axes, PANELS, strict=True):
        for label in labels:
            name = f"{DISPLAY[label]}  {FULL.findings[label].auroc.value:.3f}"
            k = LABELS.index(label)
            wrong, found, _ = sklearn.roc_curve(TARGETS[:, k], PROBABILITIES[:, k])
            assert line_of(axis, name) == pytest.approx(np.array([wrong, found]))
        assert len({line.get_color() for line in axis.lines[:5]}) == 5
        assert data(axis.lines[5]).tolist() == [[0, 1], [0, 1]]
        assert axis.get_xlabel() == "1 - specificity"
        assert axis.get_xlim() == axis.get_ylim() == (-0.01, 1.01)
        assert len(axis.get_legend().get_texts()) == 5
    assert [axis.get_ylabel() for axis in figure.axes] == ["sensitivity", "", ""]


def test_precision_and_recall_are_those_of_scikit_learn(evaluation):
    """Each label's steps end at no recall; its share of the images is dotted in its colour."""
    figure = evaluation["precision_recall"]
    for axis, labels in zip(figure.axes, PANELS, strict=True):
        curves, floors = axis.lines[::2], axis.lines[1::2]
        for label, curve, floor in zip(labels, curves, floors, strict=True):
            k = LABELS.index(label)
            value = FULL.findings[label].average_precision.value
            assert curve.get_label() == f"{DISPLAY[label]}  {value:.3f}"
            precision, recall, _ = sklearn.precision_recall_curve(
                TARGETS[:, k], PROBABILITIES[:, k], drop_intermediate=True
            )
            assert data(curve) == pytest.approx(np.array([recall, precision]))
            assert curve.get_drawstyle() == "steps-post"
            assert floor.get_ydata() == pytest.approx([TARGETS[:, k].mean()] * 2)
            assert floor.get_color() == curve.get_color()
            assert (curve.get_linestyle(), floor.get_linestyle()) == ("-", ":")
        assert axis.get_xlabel() == "recall (sensitivity)"
    assert figure.axes[0].get_ylabel() == "precision, in these images"


def test_reliability_cells_show_the_bins_of_their_label(evaluation):
    """Observed shares over predicted ones, points by their weight, and the line of equality."""
    figure = evaluation["reliability"]
    assert figure.get_supxlabel() == "predicted probability"
    assert figure.get_supylabel() == "share observed"
    for axis, (label, found) in zip(figure.axes, FULL.findings.items(), strict=True):
        assert axis.get_title() == f"{DISPLAY[label]}  {found.ece.value:.3f}"
        points = [(b.predicted, b.observed) for b in found.reliability]
        equal, line = map(data, axis.lines)
        assert [tuple(point) for point in line.T] == points
        [dots] = axis.collections
        assert np.asarray(dots.get_offsets()) == pytest.approx(np.array(points))
        weights = np.array([b.weight for b in found.reliability])
        assert dots.get_sizes() / dots.get_sizes()[0] == pytest.approx(weights / weights[0])
        end = axis.get_xlim()[1]
        assert equal.tolist() == [[0, end], [0, end]]
        assert np.max(points) <= end <= 2.5 * np.max(points)
        assert [t.get_text() for t in axis.get_xticklabels()] == ["0", f"{end:g}"]


def test_threshold_cells_show_what_each_threshold_flags(evaluation):
    """Sensitivity falls and specificity rises over the thresholds, with the chosen one marked."""
    figure = evaluation["thresholds"]
    assert figure.get_supxlabel() == "threshold (probability at training prevalence)"
    assert figure.get_supylabel() == "share of images"
    for k, (axis, label) in enumerate(zip(figure.axes, FINDINGS, strict=False)):
        chosen = FULL.findings[label].threshold
        assert axis.get_title() == f"{DISPLAY[label]}  {chosen:.3f}"
        target, score = TARGETS[:, k], PROBABILITIES[:, k]
        for name, pos in (("sensitivity", 1), ("specificity", 0)):
            tried, shares = line_of(axis, name)
            assert tried[[0, -1]].tolist() == [0, axis.get_xlim()[1]]
            for at in (0, 40, 120, 200):
                expected = sklearn.recall_score(target, score >= tried[at], pos_label=pos)
                assert shares[at] == pytest.approx(expected)
        assert line_of(axis, "chosen")[0].tolist() == [chosen, chosen]
        assert axis.get_xlim()[1] >= max(score.max(), chosen)
        assert axis.get_ylim() == (0, 1.02)
        assert [t.get_text() for t in axis.get_yticklabels()] == ["0", "1"]
    *_, last = figure.axes
    assert not last.axison
    names = [text.get_text() for text in last.get_legend().get_texts()]
    assert names == ["sensitivity", "specificity", "chosen"]


def test_accuracy_plot_names_the_model_and_the_constant_answers(evaluation):
    """The curve, the chosen point on it, and two lines that are told apart, all in the legend."""
    [axis] = evaluation["accuracy"].axes
    tried, accuracies, _ = thresholds.accuracy_curve(TARGETS, PROBABILITIES)
    assert line_of(axis, "model, images evaluated").tolist() == [
        tried.tolist(),
        accuracies.tolist(),
    ]
    chosen, floor = FULL.accuracy_threshold, FULL.baselines
    reached = np.interp(chosen, tried, accuracies)
    point = line_of(axis, f"chosen: {chosen:.2f} ({100 * reached:.1f} %)")
    assert point.ravel().tolist() == [chosen, reached]
    for name, value in (
        ("predicting nothing", floor.predict_nothing),
        ('always "No Finding"', floor.always_no_finding),
    ):
        assert set(line_of(axis, f"{name} ({100 * value:.1f} %)")[1]) == {value}
        assert axis.get_ylim()[0] < value
    assert axis.get_ylim()[0] < accuracies.max() - 0.05
    assert axis.get_ylim()[1] == 1
    assert len({line.get_linestyle() for line in axis.lines[2:]}) == 2
    assert len(axis.get_legend().get_texts()) == 4
    assert title(axis)[1:] == ("threshold (probability)", "accuracy over 15 labels")


def test_accuracy_of_a_training_is_on_validation_images(drawn, tmp_path):
    """Without a chosen threshold there is no point, and the legend says on which images."""
    plots.accuracy_curve(
        np.array([0, 1.0]), np.array([0.5, 0.9]), None, {"x": 0.7}, tmp_path / "a.png"
    )
    [axis] = drawn["a"].axes
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["model, validation images", "x (70.0 %)"]


def test_groups_are_drawn_in_their_rows_and_columns(evaluation):
    """Each group's metrics and intervals stand in the row with its name, the first on top."""
    groups = [
        (f"{by} {name} ({group.images:,} images)", group)
        for by, members in FULL.subgroups.by().items()
        for name, group in members.items()
    ]
    axes = evaluation["subgroups"].axes
    assert [name.get_text() for name in axes[0].get_yticklabels()] == [name for name, _ in groups]
    names = ["mean AUROC", "sensitivity", "underdiagnosis"]
    assert [axis.get_xlabel() for axis in axes] == names
    for axis, key in zip(axes, ("mean_auroc", "sensitivity", "underdiagnosis"), strict=True):
        assert axis.get_ylim()[0] > len(groups) - 1 > 0 > axis.get_ylim()[1]
        for row, (_, group) in enumerate(groups):
            interval, dot = (data(line) for line in axis.lines[2 * row : 2 * row + 2])
            one = getattr(group, key)
            assert interval.tolist() == [list(one.ci95), [row, row]]
            assert dot.ravel().tolist() == [one.value, row]
            assert axis.get_xlim()[0] < one.ci95[0] < one.ci95[1] < axis.get_xlim()[1]


def test_undefined_metrics_are_drawn_as_that_word(drawn, tmp_path):
    """A row, a curve and a cell without a metric say so; an estimate without interval is hollow."""
    hernia, mass = FULL.findings["Hernia"], FULL.findings["Mass"]
    nothing = {"auroc": None, "average_precision": None, "ece": None, "reliability": []}
    nothing["threshold"] = None
    alone = mass.auroc.model_copy(update={"ci95": None})
    findings = FULL.findings | {
        "Hernia": hernia.model_copy(update=nothing),
        "Mass": mass.model_copy(update={"auroc": alone}),
    }
    metrics = FULL.model_copy(update={"findings": findings})
    plots.evaluation(metrics, TARGETS, PROBABILITIES, tmp_path)
    [axis] = drawn["auroc"].axes
    assert [(t.get_text(), t.get_position()[1]) for t in axis.texts] == [("undefined", 0)]
    assert axis.get_yticklabels()[0].get_text().startswith("Hernia")
    hollow = [line for line in axis.lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    assert [data(line)[0].tolist() for line in hollow] == [[alone.value]]
    panel, place = divmod(LABELS.index("Hernia"), 5)
    for name in ("roc", "precision_recall"):
        assert line_of(drawn[name].axes[panel], "Hernia  undefined").size == 0
    cell = drawn["reliability"].axes[5 * panel + place]
    assert cell.get_title() == "Hernia  undefined"
    assert [text.get_text() for text in cell.texts] == ["undefined"]
    cell = drawn["thresholds"].axes[LABELS.index("Hernia")]
    assert cell.get_title() == "Hernia  none chosen"
    assert [line.get_label() for line in cell.lines] == ["sensitivity", "specificity"]


def test_learning_rate_plot_marks_the_chosen_rate(drawn, tmp_path):
    """Losses over rates on a logarithmic axis, with a line at the rate that was chosen."""
    tried = pd.DataFrame({"rate": [1e-4, 1e-3, 1e-2], "loss": [0.7, 0.4, 0.9]})
    plots.learning_rate(tried, 0.0012, tmp_path / "rates.png")
    [axis] = drawn["rates"].axes
    curve, chosen = map(data, axis.lines)
    assert curve.T.tolist() == tried.to_numpy().tolist()
    assert set(chosen[0]) == {0.0012}
    assert axis.get_xscale() == "log"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["chosen: 1.2e-03"]
    assert title(axis) == ("Learning-rate finder", "learning rate", "loss")


@pytest.mark.parametrize(("phases", "unfrozen"), [("ffu", 2.5), ("uuu", None), ("fff", None)])
def test_history_plot_shows_losses_and_when_the_backbone_was_unfrozen(
    drawn, tmp_path, phases, unfrozen
):
    """Both losses by name and the AUROC over the epochs; the line lies between the two phases."""
    table = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [0.9, 0.8, 0.7],
            "valid_loss": [0.95, 0.85, 0.8],
            "mean_auroc": [0.6, 0.65, 0.7],
            "phase": [{"f": "frozen", "u": "unfrozen"}[letter] for letter in phases],
        }
    )
    plots.history(table, tmp_path / "history.png")
    left, right = drawn["history"].axes
    assert line_of(left, "training").tolist() == [[1, 2, 3], [0.9, 0.8, 0.7]]
    assert line_of(left, "validation").tolist() == [[1, 2, 3], [0.95, 0.85, 0.8]]
    assert data(right.lines[0]).tolist() == [[1, 2, 3], [0.6, 0.65, 0.7]]
    assert title(left) == ("Loss", "epoch", "loss")
    assert title(right) == ("AUROC on validation patients", "epoch", "mean AUROC")
    for axis, curves in ((left, 2), (right, 1)):
        marks = [set(line.get_xdata()) for line in axis.lines[curves:]]
        assert marks == ([{unfrozen}] if unfrozen else [])
        assert len(axis.texts) == len(marks)


def test_batch_shows_images_with_their_labels_and_boxes(drawn, tmp_path):
    """Each image has its own labels as its title, and a frame where its box map is set."""
    images = torch.rand(2, 1, 8, 8)
    targets, maps = torch.zeros(2, 15), torch.zeros(2, 15, 10, 10)
    targets[0, [0, 2, 4]] = 1
    maps[0, 4, 2:5, 6:8] = 1  # rows, columns
    dls = SimpleNamespace(train=SimpleNamespace(one_batch=lambda: (images, targets, maps)))
    plots.batch(dls, tmp_path / "batch.png")
    axes = drawn["batch"].axes
    assert [axis.get_title() for axis in axes] == ["Atelectasis, Effusion,\nMass", *[""] * 8]
    for axis, image in zip(axes, images, strict=False):
        assert np.array_equal(axis.images[0].get_array(), image[0])
        assert axis.images[0].get_clim() == (0, 1)
        assert axis.images[0].get_cmap().name == "gray"
    [frame] = axes[0].patches
    assert frame.get_bbox().bounds == pytest.approx((0.6, 0.2, 0.2, 0.3))
    assert not axes[1].patches


def test_plot_that_cannot_be_finished_leaves_the_older_one(tmp_path, monkeypatch):
    """No reader ever sees half of a PNG."""

    def stop(_, path, **__):
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(Figure, "savefig", stop)
    (tmp_path / "auroc.png").write_text("older")
    with pytest.raises(OSError, match="full"):
        plots.aurocs(FULL.findings, tmp_path / "auroc.png")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]
