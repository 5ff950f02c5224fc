"""The result for one image as an HTML file to print or send on, which needs no network.

It shows the image, so it may go only where the image may go.
"""

from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

import cxr.inference.prevalence
from cxr import html_page
from cxr.inference.overlay import LONG_SIDE, preview
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import NIH, TRAINING, Prevalence, shares_at
from cxr.inference.results import DISCLAIMER
from cxr.model.config import Config
from cxr.model.metrics import Estimate, Localisation, find_localisation
from cxr.web.page.finding_words import finding, sentence
from cxr.web.page.text import CHINESE, ENGLISH, Text
from cxr.web.page.translation import translated
from cxr.web.report_words import REPORT
from cxr_labels import LABELS, NO_FINDING

_QUALITY = 88  # of its JPEGs: good to look at, a tenth of a PNG's size
_DASH = "–"


def render(
    prediction: Prediction, predictor: Predictor, file: str, language: str, made: datetime
) -> str:
    """The report as HTML.

    Args:
        prediction: The prediction for the image.
        predictor: The model.
        file: The name of the image's file; only the last part of a path is shown.
        language: "en" or "zh-CN".
        made: The time of the report, with a time zone.
    """
    words = _Words(language)
    measured = find_localisation(predictor.folder)
    height, width = prediction.image.grey.shape
    return html_page.fill(
        __package__,
        "report.html.jinja",
        {},
        language=words.language,
        t={key: words.of(key) for key in REPORT},
        disclaimer=words.translated(DISCLAIMER),
        file=PureWindowsPath(file).name,
        made=f"{made.astimezone(UTC):%Y-%m-%d %H:%M}",
        image_size=words.of("image_size", width=str(width), height=str(height)),
        image=_data_uri(preview(prediction.image.grey)),
        rows=_rows(prediction, predictor, words),
        warnings=[words.translated(warning) for warning in prediction.warnings],
        meaning=words.of("meaning", mix=_mix(prediction.prevalence)),
        heatmaps=[_heatmap(prediction, label, measured, words) for label in shown(prediction)],
        highest=not prediction.flagged,
        measured_on=words.of("measured_on", boxes=str(measured.heatmaps.boxes)) if measured else "",
        measured=_measured(measured, words) if measured else [],
        model=_model(predictor, words),
        images_note=words.of("images_note", side=str(LONG_SIDE)),
    )


def shown(prediction: Prediction) -> list[str]:
    """The labels whose heatmaps the report shows: the flagged ones, else the most likely one."""
    ranked = [label for label in prediction.ranked() if label != NO_FINDING]
    return [label for label in ranked if label in prediction.flagged] or ranked[:1]


class _Words:
    """The words of the report in one language."""

    def __init__(self, language: str) -> None:
        self.language = Text(ENGLISH, CHINESE).in_language(language)

    def of(self, key: str, **values: str | Text) -> str:
        text = REPORT[key].filled(**values) if values else REPORT[key]
        return text.in_language(self.language)

    def translated(self, sentence: str) -> str:
        """A message of another part of the program, which is in English."""
        return translated(sentence).in_language(self.language)

    def share(self, share: Estimate | None) -> str:
        """A share as a percentage, with its interval."""
        if share is None:
            return _DASH
        value = f"{100 * share.value:.0f}\u00a0%"
        if share.ci95 is None:
            return value
        low, high = (f"{100 * end:.0f}" for end in share.ci95)
        return value + self.of("interval", low=low, high=high)


def _rows(prediction: Prediction, predictor: Predictor, words: _Words) -> list[dict[str, Any]]:
    shares = dict(zip(LABELS, shares_at(predictor.config, prediction.prevalence), strict=True))
    return [
        {
            "name": finding(label).in_language(words.language),
            "sentence": sentence(label).in_language(words.language),
            "score": _percent(p),
            "threshold": _threshold(prediction, label, words),
            "reached": label in prediction.flagged,
            "mark": words.of(_mark(prediction, label)),
            "prevalence": _percent(shares[label]),
        }
        for label, p in prediction.ranked().items()
    ]


def _mark(prediction: Prediction, label: str) -> str:
    if label not in prediction.thresholds:
        return "never"
    return "yes" if label in prediction.flagged else "no"


def _threshold(prediction: Prediction, label: str, words: _Words) -> str:
    limit = prediction.thresholds.get(label)
    return words.of("none") if limit is None else _percent(limit)


def _heatmap(
    prediction: Prediction, label: str, measured: Localisation | None, words: _Words
) -> dict[str, str]:
    name = finding(label).in_language(words.language)
    return {
        "name": name,
        "alt": words.of("heatmap_alt", finding=name),
        "image": _data_uri(np.asarray(prediction.overlay(label))),
        "score": words.of(
            "reached_one",
            score=_percent(prediction.probabilities[label]),
            threshold=_threshold(prediction, label, words),
        ),
        "measured": _pointing(label, measured, words),
    }


def _pointing(label: str, measured: Localisation | None, words: _Words) -> str:
    """How often the heatmaps of one finding peaked inside the radiologists' box."""
    if measured is None or label not in measured.heatmaps.findings:
        return words.of("pointing_unknown")
    hits, constant = measured.heatmaps.findings[label], measured.constant_box.findings.get(label)
    control = ""
    if constant:
        control = words.of("pointing_control", control=words.share(constant.pointing))
    return words.of(
        "pointing_one", boxes=str(hits.boxes), model=words.share(hits.pointing), control=control
    )


def _measured(measured: Localisation, words: _Words) -> list[tuple[str, str, str]]:
    """Rows of what the heatmaps and the constant box reach."""

    model, constant = measured.heatmaps, measured.constant_box
    return [
        (words.of("pointing"), words.share(model.pointing), words.share(constant.pointing)),
        (words.of("overlap"), words.share(model.overlap), words.share(constant.overlap)),
    ]


def _model(predictor: Predictor, words: _Words) -> list[tuple[str, str]]:
    config, model = predictor.config, predictor.model
    leaky = config.training.get("split") == "random"
    return [
        (words.of("model"), model.name),
        (words.of("commit"), model.revision or words.of("no_commit")),
        (words.of("network"), f"{config.architecture}, {config.image_size} px"),
        (words.of("auroc_leaky" if leaky else "auroc"), _auroc(config, words)),
    ]


def _auroc(config: Config, words: _Words) -> str:
    """The AUROC with its interval, and what metadata alone reaches, where known."""
    auroc = config.metrics.mean_auroc
    if auroc is None:
        return words.of("unknown")
    text = f"{auroc.value:.2f}"
    if interval := auroc.ci95:
        text += words.of("interval", low=f"{interval[0]:.2f}", high=f"{interval[1]:.2f}")
    alone = config.metrics.metadata_only_mean_auroc
    if alone is not None:
        text += words.of("auroc_alone", alone=f"{alone:.2f}")
    return text


def _mix(prevalence: Prevalence) -> Text:
    stated = cxr.inference.prevalence.name(prevalence)
    if stated in (NIH, TRAINING):
        return REPORT[f"mix_{stated}"]
    return REPORT["mix_own"].filled(stated=stated)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _data_uri(pixels: np.ndarray) -> str:
    return html_page.data_uri(html_page.jpeg(pixels, _QUALITY), "jpeg")
