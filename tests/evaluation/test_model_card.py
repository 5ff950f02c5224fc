"""The model card: every figure is that of metrics.json, and what is undefined is said to be."""

import re
import shutil
import subprocess
import sys
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from support import ROOT, STARTER, measured

from cxr import imaging
from cxr.evaluation import model_card
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import thresholds_at
from cxr.model import metrics, model_folder
from cxr.model.config import Config, write_config
from cxr.model.metrics import Estimate
from cxr_labels import DISPLAY, FINDINGS, LABELS, NIH_PREVALENCE, NO_FINDING

TRIED = {
    "kinds": {
        "hand_image": {"images": 12, "rejected": 11, "warned": 1},
        "photograph": {"images": 41, "rejected": 40, "warned": 0},
    },
    "rejected_share": 0.9623,
    "ci95": [0.9012, 0.9876],
    "chest_transforms": {"turned": {"images": 51, "rejected": 10, "warned": 33}},
}


def config(**changes: Any) -> Config:
    """A calibrated model's config in which no two numbers are alike."""
    rng = np.random.default_rng(1)
    shares = dict(zip(LABELS, rng.uniform(0.05, 0.4, len(LABELS)).tolist(), strict=True))
    training = {"data": "sample.zip", "images": 5606, "patients": 4230, "train_images": 3924}
    training |= {"valid_images": 561, "split": "patient", "seed": 7, "epochs": 8}
    training |= {"freeze_epochs": 1, "learning_rate": 0.0015, "boxes": "No boxes were given."}
    made = Config(
        labels=LABELS,
        architecture="tf_efficientnet_lite0",
        pooling="mean",
        image_size=64,
        calibration={k: (0.8 + 0.01 * i, 0.1 * i) for i, k in enumerate(LABELS)},
        thresholds={k: 0.1 + 0.02 * i for i, k in enumerate(FINDINGS)},
        prevalence={"training": shares, "nih": NIH_PREVALENCE},
        sha256="0" * 64,
        training=training,
    )
    return made.replace(**changes)


def section(card: str, title: str) -> str:
    """What stands under a heading."""
    return re.split(r"^## ", card.split(f"\n## {title}\n")[1], flags=re.M)[0]


def rows(text: str) -> dict[str, list[float]]:
    """First cell of each table row -> the numbers in the others; shares from their per cents."""
    found = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.M):
        (_, *heads), _, *lines = (line.strip("| ").split(" | ") for line in block.splitlines())
        for name, *cells in lines:
            found[name] = [
                float(number) * (0.01 if "%" in cell or head.endswith(", %") else 1)
                for head, cell in zip(heads, cells, strict=False)
                for number in re.findall(r"-?\d+\.?\d*", cell.replace(",", ""))
            ]
    return found


def ends(*estimates: Estimate) -> list[float]:
    """Metrics with the ends of their intervals, as a row gives them."""
    return [number for one in estimates for number in (one.value, *one.ci95)]


FULL = measured.full()
CARD = model_card.render(config(), FULL, TRIED)
CARDS = {
    "full": CARD,
    "undefined": model_card.render(config(), measured.nothing()),
    "bare": model_card.render(config(training={}, thresholds={}), measured.nothing()),
    "starter": model_card.render(model_folder.load(STARTER), metrics.read(STARTER)),
}


def test_headline_figures_are_those_of_metrics():
    """The first table: each figure, its interval, and what answers without an image reach."""
    found = rows(CARD.split("\n## ")[0])
    floor, located = FULL.baselines, FULL.localisation
    shares = [FULL.findings[k].positives / FULL.n_images for k in FINDINGS]
    wanted = {
        "mean AUROC over the 14 findings": [
            *ends(FULL.mean_auroc),
            floor.metadata_only_mean_auroc,
        ],
        "the same without Pneumonia and Hernia": ends(FULL.mean_auroc_without_pneumonia_hernia),
        "mean average precision": [*ends(FULL.mean_average_precision), np.mean(shares)],
        "mean expected calibration error": [*ends(FULL.mean_ece), FULL.mean_ece_if_calibrated],
        "heatmaps that point into the radiologists' box": [
            *ends(located.heatmaps.pointing),
            located.constant_box.pointing.value,
        ],
        "accuracy over 15 labels": [
            FULL.accuracy_multi,
            floor.predict_nothing,
            floor.always_no_finding,
        ],
    }
    for name, numbers in wanted.items():
        assert found[name] == pytest.approx(numbers, abs=6e-4), name


@pytest.mark.parametrize("label", LABELS)
def test_figures_of_a_label_are_those_of_metrics(label):
    """Ranking, flagging and calibration rows of each label."""
    found, name = FULL.findings[label], DISPLAY[label]
    ranked = rows(section(CARD, "How well it tells images apart"))[name]
    wanted = [found.positives, *ends(found.auroc, found.average_precision, found.ece)]
    assert ranked == pytest.approx(wanted, abs=6e-4)

    flagged = rows(section(CARD, "What is flagged"))
    if label == NO_FINDING:
        assert name not in flagged
    else:
        threshold = thresholds_at(config(), "nih")[LABELS.index(label)]
        reached = ends(found.sensitivity, found.specificity, found.ppv, found.npv)
        assert flagged[name] == pytest.approx([threshold, *reached], abs=6e-4)

    raw = found.as_measured
    wanted = [config().prevalence["training"][label], NIH_PREVALENCE[label]]
    wanted += [*config().calibration[label], found.brier, raw.share, raw.ece]
    shown = rows(section(CARD, "What the probabilities mean"))[name]
    assert shown == pytest.approx(wanted, abs=6e-4)


def test_figures_of_groups_are_those_of_metrics():
    """Every group with its figures, every gap's sentence, and the notes on gaps beside them."""
    note = "126 gaps between groups were examined."
    card = model_card.render(config(), measured.full(notes=[note]))
    text = section(card, "Groups of patients")
    found = rows(text)
    for by, members in FULL.subgroups.by().items():
        for name, group in members.items():
            wanted = [group.images, group.patients]
            wanted += ends(group.mean_auroc, group.sensitivity, group.underdiagnosis)
            assert found[f"{by}: {name}"] == pytest.approx(wanted, abs=6e-4)
    assert all(gap.sentence in text for gap in FULL.subgroups.gaps)
    assert note in text


def test_localisation_stands_beside_both_controls():
    """Pointing, overlaps and their means of the model, the constant box and the random map."""
    found = FULL.localisation
    shown = rows(section(CARD, "Where it looks"))
    answers = [found.heatmaps, found.constant_box, found.random_map]
    assert shown["pointing"] == pytest.approx(ends(*(a.pointing for a in answers)), abs=6e-4)
    for key, name in (("iou", "IoU"), ("iobb", "IoBB")):
        overlaps = [getattr(answer, key) for answer in answers]
        wanted = ends(*(overlap.mean for overlap in overlaps))
        assert shown[f"mean {name}"] == pytest.approx(wanted, abs=6e-4)
        for level in ("0.1", "0.3", "0.5"):
            wanted = ends(*(overlap.above[level] for overlap in overlaps))
            assert shown[f"{name} over {level}"] == pytest.approx(wanted, abs=6e-4)
    for label, of in found.heatmaps.findings.items():
        constant = found.constant_box.findings[label]
        wanted = [of.boxes, of.pointing.value, of.iou.mean.value, of.iobb.mean.value]
        wanted += [constant.pointing.value, constant.iou.mean.value]
        assert shown[DISPLAY[label]] == pytest.approx(wanted, abs=6e-4)


def test_input_check_gives_images_and_ood_images():
    """Held-out images rejected and warned of, then each kind of OOD image."""
    text = section(CARD, "Images it should not answer")
    images = FULL.input_check
    assert f"{images.images:,} held-out images" in text
    assert f"{images.rejected} ({100 * images.rejected_share:.1f} %)" in text
    assert f"{images.warned} ({100 * images.warned_share:.1f} %)" in text
    assert "96.2 % (90.1–98.8)" in text
    shown = rows(text)
    assert shown["hand image"] == [12, 11, 1]
    assert shown["photograph"] == [41, 40, 0]
    assert shown["turned"] == [51, 10, 33]


def test_hub_reads_the_headline_as_eval_results():
    """huggingface_hub's own parser finds the four figures, of the right types."""
    data = huggingface_hub.ModelCard(CARD).data
    assert (data.license, data.library_name) == ("apache-2.0", "fastai")
    assert data.pipeline_tag == "image-classification"
    found = [(r.metric_type, r.metric_value) for r in data.eval_results]
    wanted = [
        round(one.value, 4)
        for one in (
            FULL.mean_auroc,
            FULL.mean_auroc_without_pneumonia_hernia,
            FULL.mean_average_precision,
            FULL.mean_ece,
        )
    ]
    kinds = ["roc_auc", "roc_auc", "average_precision", "expected_calibration_error"]
    assert found == list(zip(kinds, wanted, strict=True))
    assert {r.task_type for r in data.eval_results} == {"image-classification"}
    assert len({r.metric_name for r in data.eval_results}) == 4


def test_hub_is_told_nothing_that_is_undefined():
    """Without a mean there is no eval result, and the header is still read."""
    data = huggingface_hub.ModelCard(CARDS["undefined"]).data
    assert data.eval_results is None
    assert data.license == "apache-2.0"


@pytest.mark.parametrize("kind", CARDS)
def test_no_card_has_a_forbidden_or_undefined_word(kind):
    """Neither a verdict on a patient nor Python's word for a missing metric."""
    card = CARDS[kind]
    for never in ("normal", "healthy", "diagnos"):
        assert never not in card.lower()
    prose = re.sub(r"```.*?```", "", card, flags=re.S)
    assert not re.search(r"\b(None|nan|null|inf)\b", prose)
    assert "Not for clinical use" in card


@pytest.mark.parametrize("kind", CARDS)
def test_every_table_row_is_as_long_as_its_head(kind):
    """Markdown would drop or leave empty what does not fit the head."""
    for block in re.findall(r"(?:^\|.*\|\n)+", CARDS[kind], re.M):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_why_a_figure_is_missing_is_said():
    """The reason stands in the card, once, with the labels that it holds for."""
    text = section(CARDS["undefined"], "What is flagged")
    assert re.findall("Atelectasis, Cardiomegaly, .*: no image carries it\\.", text)
    assert text.count("no image carries it") == 1


def test_other_notes_are_limits():
    """What else could not be measured is said among the limits."""
    assert FULL.notes[0] in section(CARD, "Limits")


def test_literature_is_cited_where_it_compares():
    """The sentence on published figures is the run's; without one there is none."""
    sentence = "A net of 2017 reached 0.745 on these patients."
    assert sentence in model_card.render(config(), measured.full(literature=sentence))


def test_leak_is_said_before_the_figures():
    """Test images of trained patients are named in the first screenful, in bold."""
    leaky = model_card.render(config(), measured.full(images_of_trained_patients=1234))
    assert "**1,234 of the test images" in leaky.split("| metric |")[0]
    assert "are of patients that were trained on" not in CARD


def test_first_screenful_sums_up():
    """What it is, that it is not for clinical use, and the headline stand before any section."""
    summary = CARD.split("# Chest X-ray findings")[1].split("\n## ")[0]
    assert "Not for clinical use" in summary
    assert "mean AUROC" in summary
    assert len(summary) < 2000


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("youden", "highest sum of sensitivity and specificity"),
        ("f1", "highest F1 score"),
        ("sensitivity=0.85", "flags 85.0 % of the images with the finding"),
        ("accuracy", "one for all findings"),
    ],
)
def test_threshold_rule_is_named(rule, said):
    """The card says by which rule the thresholds were chosen."""
    card = model_card.render(config(threshold_rule=rule), FULL)
    assert said in section(card, "What is flagged")


def test_reliability_is_shown_where_scores_are_calibrated():
    """The image stands in a calibrated model's card; the identity is called that."""
    assert "(figures/reliability.png)" in CARD
    plain = model_card.render(config(calibration=dict.fromkeys(LABELS, (1.0, 0.0))), FULL)
    assert "figures/reliability.png" not in plain
    assert "is the identity" in plain


def test_every_run_behind_the_weights_is_named():
    """A model that goes on from others lists their runs once each, from ImageNet's weights on."""
    base = {"epochs": 8, "freeze_epochs": 1, "start": []}
    one, two = (
        {"epochs": 4, "freeze_epochs": 0, "image_size": 320, "seed": seed, "start": [base]}
        for seed in (11, 12)
    )
    training = config().training | {"start": [one, two], "epochs": 6, "freeze_epochs": 0}
    text = section(model_card.render(config(training=training), FULL), "Training and split")
    listed = [line for line in text.splitlines() if line[:1].isdigit()]
    assert [line.split(" (")[0] for line in listed] == [
        "1. 1 epoch of the head alone and 8 epochs of head and backbone from ImageNet's weights",
        "2. 4 epochs of head and backbone",
        "3. 4 epochs of head and backbone",
        "4. 6 epochs of head and backbone",
    ]
    assert "seed 11) from step 1" in listed[1]
    assert "seed 12) from step 1" in listed[2]
    assert listed[3].endswith("from the mean of the weights of steps 2 and 3")


@pytest.mark.parametrize(
    ("start", "kept"),
    [
        ([], True),
        ([{"device": "cpu", "epochs": 2, "start": [{"device": "cpu"}]}], True),
        ([{"device": "cpu", "epochs": 2, "start": [{"device": "cuda"}]}], False),
    ],
)
def test_frozen_backbone_is_said_only_where_every_run_is_known_to_have_kept_it(start, kept):
    """One earlier run on another device, or one without a record, and nothing is said of it."""
    training = config().training | {"device": "cpu", "start": start}
    card = model_card.render(config(training=training), FULL)
    assert ("kept ImageNet's weights" in card) == kept


def test_onnx_lines_give_the_scores_of_the_demo(tmp_path, monkeypatch):
    """The first snippet, run in a calibrated model folder, answers as the serving half does."""
    calibrated = model_folder.load(STARTER).replace(calibration=config().calibration)
    card = model_card.render(calibrated, FULL)
    code, *_ = re.findall(r"```python\n(.*?)```", card, re.S)
    for name in ("model.onnx", "input_check.npz"):
        shutil.copyfile(STARTER / name, tmp_path / name)
    shutil.copyfile(ROOT / "examples" / "chest_rg1.png", tmp_path / "image.png")
    write_config(tmp_path / "config.json", calibrated)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    (answer,) = Predictor(tmp_path).predict([imaging.read_image("image.png")])
    # Threads and the division by 255 round differently in the last bits of float32.
    assert names["probabilities"] == pytest.approx(list(answer.probabilities.values()), abs=1e-5)


def test_pytorch_lines_give_the_logits_of_the_onnx_file():
    """The snippet for safetensors loads the same network."""
    import torch

    starter = model_folder.load(STARTER)
    *_, code = re.findall(r"```python\n(.*?)```", model_card.render(starter, FULL), re.S)
    size = starter.image_size
    pixels = np.random.default_rng(0).random((1, 1, size, size), np.float32)
    names: dict[str, Any] = {"images": torch.from_numpy(pixels)}
    exec(code.replace('"FOLDER"', repr(str(STARTER))), names)
    wanted = Predictor(STARTER).run(pixels).logits
    assert np.abs(names["logits"].detach().numpy() - wanted).max() < 1e-4


@pytest.mark.parametrize(
    ("rate", "written"), [(0.00010000000474974513, "0.0001"), (0.0015, "0.0015"), (2e-5, "2e-05")]
)
def test_learning_rate_is_written_without_the_noise_of_float32(rate, written):
    """A rate that went through float32 has three digits at most."""
    training = config().training | {"learning_rate": rate}
    card = model_card.render(config(training=training), FULL)
    assert f"rate {written})" in section(card, "Training and split")


def test_card_is_made_without_torch():
    """Rendering a card imports neither torch nor the training code."""
    code = (
        "import sys, cxr.evaluation.model_card; "
        "print([n for n in ('torch', 'fastai', 'cxr.training') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
