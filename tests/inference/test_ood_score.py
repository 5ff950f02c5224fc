"""The OOD score of an image: the distances that it adds up, and the limits that it is held to."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from cxr.inference import input_check
from cxr.inference.input_check import Distance, InputCheck, Verdict

RAMP = np.add.outer(np.linspace(0, 0.3, 128), np.linspace(0, 0.7, 128) ** 2).astype(np.float32)


def plain(mean: np.ndarray, scale: float = 1.0) -> Distance:
    """The logarithm of the Euclidean distance from a mean, divided by `scale`."""
    no_axes, none = np.zeros((mean.size, 0), np.float32), np.zeros(0, np.float32)
    one, zero = np.float32(1), np.float32(0)
    return Distance(mean, no_axes, none, one, zero, np.float32(scale))


def check(like: np.ndarray, scale: float = 1.0, **limits: float) -> InputCheck:
    """An input check whose training images looked like one, and had an embedding of zeros."""
    layout, edges = input_check.describe(like)
    distances = {"embedding": plain(np.zeros(2, np.float32))}
    distances |= {"layout": plain(layout, scale), "edges": plain(edges, scale)}
    return InputCheck(distances, **{"warn_above": 2.0, "reject_above": 4.0, **limits})


def embedding(score: float) -> np.ndarray:
    """An embedding with this OOD score."""
    return np.array([np.exp(score), 0], np.float32)


def test_distance_is_the_mahalanobis_distance_that_scipy_computes():
    """Its logarithm, in standard deviations from the mean of held-out images."""
    random = np.random.default_rng(0)
    mean, vector = random.normal(size=(2, 5)).astype(np.float32)
    axes = np.linalg.qr(random.normal(size=(5, 2)))[0].astype(np.float32)
    spread, rest = np.array([4, 0.5], np.float32), np.float32(0.2)
    covariance = axes @ np.diag(spread) @ axes.T + rest * (np.eye(5) - axes @ axes.T)
    expected = np.log(mahalanobis(vector, mean, np.linalg.inv(covariance)))
    distance = Distance(mean, axes, spread, rest, np.float32(0.7), np.float32(0.25))
    assert distance.logarithm(vector[None]) == pytest.approx([expected], abs=1e-4)
    assert distance(vector[None]) == pytest.approx([(expected - 0.7) / 0.25], abs=1e-3)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (1.9, Verdict()),
        (2.1, Verdict(warnings=(input_check.UNUSUAL,))),
        (3.9, Verdict(warnings=(input_check.UNUSUAL,))),
        (4.1, Verdict(rejected=input_check.NOT_A_CHEST_XRAY)),
    ],
)
def test_score_is_held_to_the_limits_of_the_folder(score, verdict):
    """Above the lower limit an image is called unusual, and above the upper one rejected."""
    assert check(RAMP).judge(RAMP, embedding(score)) == verdict


def test_score_at_a_limit_is_not_above_it():
    """An image with the very score of both limits is accepted without a warning."""
    score, *_ = check(RAMP).measure(embedding(3), *input_check.describe(RAMP))
    at_limit = check(RAMP, warn_above=score, reject_above=score)
    assert at_limit.judge(RAMP, embedding(3)) == Verdict()


def test_turned_image_is_not_called_unusual_as_well():
    """Its embedding is unusual because it is turned, which the warning says."""
    upside_down = np.rot90(RAMP, 2)
    found = check(RAMP).judge(upside_down, embedding(3))
    assert found.warnings == (input_check.TURNED[2],)


@pytest.mark.parametrize(("better", "turned"), [(1.9, False), (2.1, True)])
def test_image_counts_as_turned_when_it_fits_better_by_two_deviations(better, turned):
    """Layout and edges together."""
    image = np.rot90(RAMP, 2)
    distances = check(RAMP).distances
    known = [
        dict(zip(("layout", "edges"), input_check.describe(i), strict=True)) for i in (image, RAMP)
    ]
    gains = [distances[p](known[0][p][None]) - distances[p](known[1][p][None]) for p in known[0]]
    found = check(RAMP, scale=float(sum(gains)[0]) / better).judge(image, embedding(0))
    assert (input_check.TURNED[2] in found.warnings) == turned


@pytest.mark.parametrize(
    ("pixels", "blank"),
    [
        (0.5 + 0.04 * RAMP, True),
        (0.5 + 0.08 * RAMP, False),
        (np.where(np.indices((128, 128)).max(0) < 8, 1, 0.5), True),
        (np.where(np.indices((128, 128)).max(0) < 32, 1, 0.5), False),
    ],
    ids=["faint", "less faint", "speck", "patch"],
)
def test_image_with_hardly_any_contrast_is_blank(pixels, blank):
    """A speck does not count: under 5 % of the range between the 1st and the 99th percentile."""
    found = check(RAMP, reject_above=1e6).judge(pixels.astype(np.float32), embedding(0))
    assert (found.rejected == input_check.BLANK) == blank


@pytest.mark.parametrize(("contrast", "level"), [(1.0, 1.0), (0.01, 0.25)])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("side", [64, 96, 192])
def test_layout_and_edges_of_a_step_are_those_worked_out_by_hand(contrast, level, down, side):
    """The layout is dark and bright, and the edges all point from dark to bright.

    The step is in two of 64 columns, so in two of the 8 columns of cells, with 8 pixels in each.
    A contrast below 2 % counts less.
    """
    step = np.zeros((side, side), np.float32)
    step[:, side // 2 :] = contrast
    layout, edges = input_check.describe(step.T if down else step)
    halves = np.repeat([-level, level], 8)[None].repeat(16, 0)
    assert layout.reshape(16, 16) == pytest.approx(halves.T if down else halves, abs=1e-3)
    share = np.zeros((8, 8, 8))
    share[:, 3:5, 0] = 8 * contrast / (128 * contrast + 0.06)
    share = np.roll(share.transpose(1, 0, 2), 2, -1) if down else share
    assert edges.reshape(8, 8, 8) == pytest.approx(np.sqrt(share), abs=1e-3)
