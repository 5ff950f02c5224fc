"""metrics.json: what the schema accepts, and how it rejects what anybody may have written."""

import json

import pytest

from cxr.model import metrics
from cxr.model.metrics import (
    AsMeasured,
    Baselines,
    Estimate,
    Finding,
    Group,
    Headline,
    Localisation,
    Located,
    LocatedEach,
    Metrics,
    MetricsError,
    Overlap,
)

SMALL = Metrics(
    n_images=3,
    n_patients=2,
    split="patient",
    prevalence="nih",
    mean_auroc=Estimate(value=0.75, ci95=(0.5, 1.0)),
    mean_of=1,
    mean_auroc_without_pneumonia_hernia=None,
    mean_average_precision=None,
    mean_ece=None,
    mean_ece_if_calibrated=None,
    mean_brier=None,
    accuracy_multi=0.9,
    accuracy_threshold=0.5,
    baselines=Baselines(predict_nothing=0.9, always_no_finding=0.8),
    findings={
        "Mass": Finding(positives=1, as_measured=AsMeasured(share=0.3, brier=0.1, ece=0.2)),
    },
    subgroups=metrics.Subgroups(),
)


def changed(**parts) -> bytes:
    """The small file with some of its parts replaced."""
    return json.dumps(SMALL.model_dump() | parts).encode()


def test_file_comes_back_as_it_was_written(tmp_path):
    """Writing and reading change nothing."""
    metrics.write(tmp_path / "metrics.json", SMALL)
    assert metrics.read(tmp_path) == SMALL


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"nothing",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"n_images": 1' + b"0" * 5000 + b"}",
        b" " * (metrics.LARGEST + 1),
        changed(mean_auroc={"value": "0.9"}),
        changed(mean_auroc={"value": True}),
        changed(mean_auroc={"value": -0.1}),
        changed(mean_auroc={"value": float("nan")}),
        changed(mean_auroc={"value": 0.5, "ci95": [0.6, 0.4]}),
        changed(mean_auroc={"value": 0.5, "ci95": [0.6]}),
        changed(mean_auroc=0.9),
        changed(n_images=-1),
        changed(n_images=10**9),
        changed(findings=[]),
        changed(findings={"Mass": {"positives": "<b>"}}),
        changed(localisation=3),
        changed(notes={"a": 1}),
    ],
)
def test_what_is_no_metrics_file_is_rejected_in_one_sentence(tmp_path, content):
    """A file that is too large, no JSON, or in which any metric is none."""
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(MetricsError) as rejected:
        metrics.read(tmp_path)
    message = str(rejected.value)
    assert "metrics.json" in message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < len(str(tmp_path)) + 400
    assert metrics.find(tmp_path) is None


def test_missing_file_is_no_metrics(tmp_path):
    """A folder without the file."""
    assert metrics.find(tmp_path) is None
    with pytest.raises(MetricsError, match=r"metrics\.json"):
        metrics.read(tmp_path)


def test_message_names_the_place(tmp_path):
    """The first wrong entry, by the names of what it lies in."""
    (tmp_path / "metrics.json").write_bytes(changed(findings={"Mass": {"positives": -1}}))
    with pytest.raises(
        MetricsError, match=r"cannot be used: findings\.Mass\.positives is wrong \("
    ):
        metrics.read(tmp_path)


@pytest.mark.parametrize(("kept", "readable"), [("blobs", True), ("others", False)])
def test_link_into_the_cache_of_the_client_is_followed(tmp_path, kept, readable):
    """There every file of a model is a link into the folder `blobs`, and no other."""
    metrics.write(tmp_path / kept / "0123", SMALL)
    folder = tmp_path / "snapshots" / "abcd"
    folder.mkdir(parents=True)
    (folder / "metrics.json").symlink_to(f"../../{kept}/0123")
    assert (metrics.find(folder) is not None) == readable


def test_link_out_of_the_folder_is_not_followed(tmp_path):
    """A file elsewhere on the disk is not read."""
    metrics.write(tmp_path / "elsewhere.json", SMALL)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "metrics.json").symlink_to(tmp_path / "elsewhere.json")
    assert metrics.find(folder) is None


@pytest.mark.parametrize(("more", "readable"), [(0, True), (1, False)])
def test_largest_file_is_read(tmp_path, more, readable):
    """With the byte order mark that some editors write; one byte more is too large."""
    content = b"\xef\xbb\xbf" + changed()
    (tmp_path / "metrics.json").write_bytes(content.ljust(metrics.LARGEST + more))
    assert (metrics.find(tmp_path) == SMALL) == readable


def test_headline_repeats_the_main_metrics():
    """Each under its own name; the one of the boxes is the heatmaps', not a control's."""
    names = ("mean_auroc", "mean_auroc_without_pneumonia_hernia", "mean_ece")
    means = {name: Estimate(value=value / 10) for value, name in enumerate(names, 1)}
    located = [
        LocatedEach(boxes=1, pointing=Estimate(value=value), iou=Overlap(mean=Estimate(value=0)))
        for value in (0.7, 0.8, 0.9)
    ]
    names = ("heatmaps", "constant_box", "random_map")
    localisation = Localisation(**dict(zip(names, located, strict=True)))
    baselines = SMALL.baselines.model_copy(update={"metadata_only_mean_auroc": 0.6})
    measured = SMALL.model_copy(
        update={**means, "baselines": baselines, "localisation": localisation}
    )
    assert measured.headline() == Headline(
        **means, metadata_only_mean_auroc=0.6, pointing=Estimate(value=0.7)
    )
    assert SMALL.headline() == Headline(mean_auroc=SMALL.mean_auroc)


def test_groups_are_those_of_their_kind():
    """By sex, age and view, in that order."""
    sex, age, view = ({name: Group(images=1, patients=1)} for name in ("F", "60+", "AP"))
    by = metrics.Subgroups(sex=sex, age=age, view=view).by()
    assert list(by.items()) == [("sex", sex), ("age", age), ("view", view)]


def test_overlap_is_the_share_of_boxes_above_a_third():
    """Of the shares, the one with an IoU above 0.3; None where it was not measured."""
    above = {f"0.{tenth}": Estimate(value=tenth / 20) for tenth in (1, 3, 5)}
    for shares, overlap in ((above, Estimate(value=0.15)), ({}, None)):
        iou = Overlap(mean=Estimate(value=0.2), above=shares)
        assert Located(boxes=1, pointing=Estimate(value=1), iou=iou).overlap == overlap


@pytest.mark.parametrize(
    ("images", "rejected", "warned", "shares"), [(200, 2, 6, (0.01, 0.03)), (0, 0, 0, (0, 0))]
)
def test_shares_of_the_input_check_are_of_all_images(images, rejected, warned, shares):
    """Without images they are 0."""
    check = metrics.InputCheck(images=images, rejected=rejected, warned=warned)
    assert (check.rejected_share, check.warned_share) == shares
