"""The tables of the About tab: each metric under its own head."""

import base64
import html
import re

from support import STARTER

from cxr.inference.predictor import Predictor
from cxr.model import metrics
from cxr.model.metrics import Estimate
from cxr.model.resolve import Model
from cxr.web.page import about, card, measured
from cxr.web.page.about_words import ABOUT, MEASURED
from cxr_labels import DISPLAY, LABELS

METRICS = metrics.read(STARTER)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def english(text: str) -> str:
    """HTML as an English reader sees it."""
    text = re.sub(r'<span lang="zh-CN">.*?</span>', "", text)
    return html.unescape(re.sub(r"<[^>]*>", "", text)).strip()


def cells(table: str) -> list[list[str]]:
    """The rows of a table, heads among them."""
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [[english(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def written(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.ci95
    return f"{estimate.value:.3f} ({low:.3f} to {high:.3f})"


def _named(key: str, **values: str) -> str:
    return MEASURED[key].filled(**values).en


def test_main_metrics_are_named_and_valued():
    """Each row: what was measured, and the value of that."""
    shown = about._measured(METRICS)
    model = METRICS.localisation.heatmaps
    head, *rows = cells(shown.split("<table>")[1])
    assert head == [MEASURED[key].en for key in ("figure", "value", "control")]
    assert [row[:2] for row in rows] == [
        [_named("auroc", findings=str(METRICS.mean_of)), written(METRICS.mean_auroc)],
        [_named("auroc_without"), written(METRICS.mean_auroc_without_pneumonia_hernia)],
        [_named("pointing", boxes=f"{model.boxes:,}"), written(model.pointing)],
        [_named("overlap"), written(model.overlap)],
        [_named("calibration"), written(METRICS.mean_ece)],
        [_named("accuracy"), f"{METRICS.accuracy_multi:.3f}"],
    ]
    assert rows[0][2].startswith(f"{METRICS.baselines.metadata_only_mean_auroc:.3f}")


def test_numbers_of_images_and_patients_are_not_mixed_up():
    """Thousands have commas."""
    counted = METRICS.model_copy(update={"n_images": 5432, "n_patients": 1234})
    assert "On 5,432 images of 1,234 patients" in english(about._measured(counted))


def test_each_finding_has_its_own_metrics_under_their_heads():
    """In the order of the labels."""
    head, *rows = cells(about._measured(METRICS).split("<details>")[1])
    assert head == ["Finding", "Images with it", "AUROC", "Sensitivity", "Specificity"]
    assert rows == [
        [
            DISPLAY[label],
            f"{of.positives:,}",
            written(of.auroc),
            written(of.sensitivity),
            written(of.specificity),
        ]
        for label in LABELS
        if (of := METRICS.findings[label])
    ]


def test_finding_of_which_nothing_was_measured_is_left_out():
    """One metric of the three is enough for a row."""
    nothing = {"auroc": None, "sensitivity": None, "specificity": None}
    found = METRICS.findings["Mass"]
    changed = {
        "Mass": found.model_copy(update=nothing),
        "Edema": found.model_copy(update=nothing | {"specificity": found.specificity}),
    }
    of = METRICS.model_copy(update={"findings": changed})
    assert [row.label for row in measured.findings(of)] == ["Edema"]


def test_control_that_was_not_measured_is_left_out():
    """The metric stays, with nothing beside it."""
    constant = METRICS.localisation.constant_box
    constant = constant.model_copy(update={"iou": constant.iou.model_copy(update={"above": {}})})
    located = METRICS.localisation.model_copy(update={"constant_box": constant})
    floor = METRICS.baselines.model_copy(update={"metadata_only_mean_auroc": None})
    rows = measured.headline(
        METRICS.model_copy(update={"localisation": located, "baselines": floor})
    )
    assert [bool(row.control.en) for row in rows] == [False, False, True, False, True, True]
    assert rows[3].value.en == written(METRICS.localisation.heatmaps.overlap)


def test_model_is_introduced_by_name_commit_network_and_licences():
    """The commit in full, linked to its page on the Hub; a folder has none."""
    predictor = Predictor(Model(STARTER, "someone/chest", COMMIT))
    shown = about._model(predictor)
    config = predictor.config
    facts = [
        ["Model", "someone/chest"],
        ["Commit", COMMIT],
        ["Network", f"{config.architecture}, {config.image_size} px"],
        ["Licence of the model", "apache-2.0"],
        ["Licence of this page", "Apache-2.0"],
    ]
    assert cells(shown) == facts
    assert f'/someone/chest/tree/{COMMIT}" target="_blank" rel="noopener">' in shown
    assert cells(about._model(Predictor(Model(STARTER, "starter")))) == [
        ["Model", "starter"],
        *facts[2:],
    ]


def test_each_plot_stands_under_its_own_title():
    """With its own description for those who do not see it."""
    shown = about._plotter(STARTER)()
    found = re.findall(
        r"<figure><h3>(.*?)</h3><img src=\"data:image/png;base64,(.*?)\" alt=\"(.*?)\">", shown
    )
    assert [(english(title), html.unescape(alt)) for title, _, alt in found] == [
        (ABOUT[f"plot_{name}"].en, about.PLOTS[name]) for name in about.plots(STARTER)
    ]
    for (_, content, _), file in zip(found, about.plots(STARTER).values(), strict=True):
        assert base64.b64decode(content) == file.read_bytes()


def test_links_of_a_card_open_beside_the_page_and_give_nothing_away():
    """Those to the web and to a mailbox."""
    shown = card.render("[a](https://example.org/) [b](MAILTO:a@example.org) [c](/local)")
    assert shown.count('target="_blank"') == 2
    assert shown.count('rel="noopener noreferrer nofollow"') == 2
    assert "/local" not in shown
