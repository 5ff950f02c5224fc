"""config.json: what is read back, and which wrong entries are rejected."""

import json
from pathlib import Path

import pytest
from support import STARTER

from cxr.model.config import BoxRule, Config, read_config, write_config
from cxr.model.errors import ModelFolderError
from cxr_labels import LABELS

RULE = {"height": 0.7, "pull": 0.5, "fine": 4, "sizes": {"Mass": [0.1, 0.2]}}
CHECK = {"file": "input_check.npz", "sha256": "0" * 64, "warn_above": 5.0, "reject_above": 8.0}


@pytest.fixture
def starter() -> dict:
    """The content of the starter's config.json."""
    return json.loads((STARTER / "config.json").read_text())


def read(folder: Path, content: object) -> Config:
    """The config that a file with this content holds."""
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_config(path)


def test_written_again_it_is_the_same(starter, tmp_path):
    """Key names, their order and every number stay as they are on disk."""
    write_config(tmp_path / "config.json", read_config(STARTER / "config.json"))
    assert (tmp_path / "config.json").read_text() == (STARTER / "config.json").read_text()


def test_entries_are_typed(starter, tmp_path):
    """Whole numbers, undefined metrics and intervals are taken."""
    specificity = {"value": 1, "ci95": [0.1, 1]}
    point = {"positives": 3, "sensitivity": None, "specificity": specificity}
    starter |= {
        "operating_points": {"Mass": point},
        "metrics": {"mean_auroc": {"value": 1, "ci95": None}},
        "threshold_rule": "sensitivity=0.9",
        "input_check": None,
    }
    config = read(tmp_path, starter)
    assert config.operating_points["Mass"].specificity.ci95 == (0.1, 1.0)
    assert config.operating_points["Mass"].sensitivity is None
    assert config.metrics.mean_auroc.value == 1.0
    assert config.input_check is None


def test_optional_entries_have_defaults(starter, tmp_path):
    """A config without the entries that only describe the model can be used."""
    required = {"labels", "architecture", "pooling", "image_size", "calibration", "thresholds"}
    required |= {"prevalence", "sha256"}
    config = read(tmp_path, {name: starter[name] for name in required})
    assert config.box_rule == BoxRule(height=0.5, pull=0.0, fine=1, sizes={})
    assert config.operating_points == {}
    assert config.input_check is None
    assert (config.threshold_rule, config.accuracy_threshold) == ("youden", 0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 32},
        {"image_size": 2048},
        {"thresholds": {}},
        {"thresholds": {"Mass": 0, "Hernia": 1}},
        {"threshold_rule": "f1"},
        {"threshold_rule": "accuracy"},
        {"threshold_rule": "sensitivity=.9"},
        {"threshold_rule": "sensitivity= 1e-3"},
        {"accuracy_threshold": 1},
        {"calibration": {label: [1e6, -1e6] for label in LABELS}},
        {"box_rule": RULE | {"height": 1.0, "pull": 1.0, "fine": 16}},
        {"box_rule": RULE | {"pull": 0.0, "fine": 1, "sizes": {"Mass": [1.0, 1.0]}}},
        {"input_check": CHECK | {"warn_above": 8.0}},
    ],
)
def test_entry_at_its_limit_is_taken(starter, tmp_path, change):
    """The least and the largest that make sense."""
    ((name, value),) = change.items()
    assert read(tmp_path, starter | change).model_dump(mode="json")[name] == value


def test_unknown_entries_are_ignored(starter, tmp_path):
    """A later program may write more."""
    assert read(tmp_path, starter | {"new": 1}) == read_config(STARTER / "config.json")


def test_copy_is_checked_and_leaves_the_first_as_it_was(starter, tmp_path):
    """`replace` takes the place of assignment, which a config rejects."""
    config = read(tmp_path, starter)
    assert config.replace(image_size=64).image_size == 64
    assert config.image_size == starter["image_size"]
    with pytest.raises(ValueError, match="image_size"):
        config.replace(image_size=7)
    with pytest.raises(ValueError, match="frozen"):
        config.image_size = 64  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 99}, "has format version 99, and this program reads version 1"),
        ({"format_version": None}, "format version None"),
        ({"labels": ["A", "B"]}, "labels .* are not the 15"),
        ({"labels": 5}, "labels .* are not the 15"),
        ({"labels": None}, "labels .* are not the 15"),
        ({"labels": "Mass"}, "labels .* are not the 15"),
        ({"image_size": "big", "labels": [], "format_version": 2}, "has format version 2"),
        ({"architecture": 5, "labels": []}, "labels .* are not the 15"),
        ({"image_size": "big", "architecture": 5}, "'architecture' is wrong"),
        ({"architecture": 5}, "'architecture'"),
        ({"image_size": "big"}, "'image_size'"),
        ({"image_size": 320.5}, "'image_size'"),
        ({"image_size": "320"}, "'image_size'"),
        ({"image_size": 10**400}, "'image_size'"),
        ({"image_size": 31}, "'image_size' is wrong: .*greater than or equal to 32"),
        ({"image_size": 2049}, "'image_size' is wrong: .*less than or equal to 2048"),
        ({"calibration": {}}, "'calibration' is wrong: Atelectasis is missing"),
        ({"calibration": dict.fromkeys(LABELS, (0, 0))}, "'calibration.Atelectasis.0'"),
        ({"calibration": dict.fromkeys(LABELS, (1, 1e7))}, "'calibration.Atelectasis.1'"),
        ({"calibration": dict.fromkeys(LABELS, (1, 10**400))}, "'calibration.Atelectasis.1'"),
        ({"prevalence": {"training": {}}}, "'prevalence.training'"),
        ({"prevalence": {"training": dict.fromkeys(LABELS, 0.1)}}, "'prevalence' .*nih"),
        ({"thresholds": {"Mass": 7}}, "'thresholds.Mass' .*less than or equal to 1"),
        ({"thresholds": {"Mass": True}}, "'thresholds.Mass'"),
        ({"thresholds": {"Mass": "0.5"}}, "'thresholds.Mass'"),
        ({"thresholds": {"Masses": 0.5}}, "'thresholds.Masses"),
        ({"thresholds": 5}, "'thresholds'"),
        ({"sha256": None}, "'sha256'"),
        ({"threshold_rule": "x`|y"}, "'threshold_rule'"),
        ({"threshold_rule": "youden\nx"}, "'threshold_rule'"),
        ({"accuracy_threshold": None}, "'accuracy_threshold'"),
        ({"operating_points": [[1, 2]]}, "'operating_points'"),
        (
            {
                "operating_points": {
                    "Mass": {"positives": 1, "sensitivity": {"value": float("nan")}}
                }
            },
            "'oper",
        ),
        (
            {
                "operating_points": {
                    "Mass": {"positives": 1, "sensitivity": {"value": 0.1, "ci95": [0.1]}}
                }
            },
            "'oper",
        ),
        (
            {
                "operating_points": {
                    "Mass": {"positives": 1, "sensitivity": {"value": 0.1, "ci95": [1, 0]}}
                }
            },
            "'oper",
        ),
        ({"box_rule": None}, "'box_rule'"),
        ({"box_rule": RULE | {"height": 0.0}}, "'box_rule.height'"),
        ({"box_rule": RULE | {"height": float("nan")}}, "'box_rule.height'"),
        ({"box_rule": RULE | {"pull": 1.5}}, "'box_rule.pull'"),
        ({"box_rule": RULE | {"pull": "much"}}, "'box_rule.pull'"),
        ({"box_rule": RULE | {"fine": 0}}, "'box_rule.fine'"),
        ({"box_rule": RULE | {"fine": 2.7}}, "'box_rule.fine'"),
        ({"box_rule": RULE | {"fine": 17}}, "'box_rule.fine'"),
        ({"box_rule": RULE | {"sizes": None}}, "'box_rule.sizes'"),
        ({"box_rule": RULE | {"sizes": {"Mass": [0.1]}}}, "'box_rule.sizes.Mass"),
        ({"box_rule": RULE | {"sizes": {"Mass": [0.1, 0.0]}}}, "'box_rule.sizes.Mass.1'"),
        ({"box_rule": RULE | {"sizes": {"Mass": [0.1, float("inf")]}}}, "'box_rule.sizes.Mass"),
        ({"input_check": {}}, "'input_check.file'"),
        ({"input_check": []}, "'input_check'"),
        ({"input_check": CHECK | {"file": "../input_check.npz"}}, "'input_check.file'"),
        ({"input_check": CHECK | {"sha256": None}}, "'input_check.sha256'"),
        ({"input_check": CHECK | {"warn_above": "high"}}, "'input_check.warn_above'"),
        ({"input_check": CHECK | {"reject_above": float("nan")}}, "'input_check.reject_above'"),
        ({"input_check": CHECK | {"reject_above": 1.0}}, "warn_above is above reject_above"),
        ({"training": []}, "'training'"),
        ({"metrics": {"mean_auroc": {"value": float("nan")}}}, "'metrics.mean_auroc"),
        ({"metrics": {"mean_auroc": {"value": 7}}}, "'metrics.mean_auroc"),
        ({"metrics": {"mean_auroc": {"value": 0.7, "ci95": [0.6]}}}, "'metrics.mean_auroc"),
        ({"thresholds": {"x" * 10**6: 1}}, "'thresholds.xxx"),
    ],
)
def test_wrong_entry_is_named_in_one_short_sentence(starter, tmp_path, change, words):
    """Each wrong entry is rejected, and the message says which."""
    with pytest.raises(ModelFolderError, match=words) as caught:
        read(tmp_path, starter | change)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["architecture", "image_size", "calibration", "sha256"])
def test_missing_entry_is_named(starter, tmp_path, name):
    """An entry that the program needs may not be left out."""
    del starter[name]
    with pytest.raises(ModelFolderError, match=rf"'{name}' is wrong: Field required"):
        read(tmp_path, starter)


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "[" * 2**20, '{"a":' * 2**18, "\ufeff{}"])
def test_file_that_is_no_json_object_is_rejected(tmp_path, content):
    """Broken, nested without end, or another kind of value."""
    with pytest.raises(ModelFolderError, match="cannot be read as a JSON object"):
        read(tmp_path, content)


def test_huge_file_is_not_read(tmp_path):
    """The size is looked at first."""
    with pytest.raises(ModelFolderError, match="over 16 MB"):
        read(tmp_path, " " * 2**25)


def test_missing_file_is_rejected(tmp_path):
    """The system's reason is in the message."""
    with pytest.raises(ModelFolderError, match="No such file"):
        read_config(tmp_path / "config.json")
