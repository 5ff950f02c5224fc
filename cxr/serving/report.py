"""The answer for one film as an HTML page to print or send on, which opens without a network.

It shows the film: it belongs where the film belongs.
"""

from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Any

import cxr.prevalence
import cxr_labels
from cxr import html_page
from cxr.prevalence import NIH, TRAINING, Prevalence
from cxr.serving import heatmap, measured
from cxr.serving.analysis import Analysis
from cxr.serving.measured import Answers, Figure, Measured
from cxr.serving.page.texts import CHINESE, ENGLISH, REPORT, Text
from cxr.serving.predictor import Predictor
from cxr_labels import DISPLAY, LABELS, NO_FINDING

_QUALITY = 88  # of a JPEG: large enough to look at, a tenth of a PNG
_DASH = "–"


def render(
    analyzed: Analysis, predictor: Predictor, file: str, language: str, made: datetime
) -> str:
    """The report as HTML.

    file: name of the film's file; of a path its last part is shown. language: "en" or "zh-CN".
    made: when, with its time zone.
    """
    words = _Words(language)
    figures = measured.read(predictor.folder)
    height, width = analyzed.film.grey.shape
    return html_page.fill(
        __package__,
        "report.html.jinja",
        {},
        language=words.language,
        t={key: words.of(key) for key in REPORT},
        file=PureWindowsPath(file).name,
        made=f"{made.astimezone(UTC):%Y-%m-%d %H:%M}",
        film_size=words.of("film_size", width=str(width), height=str(height)),
        film=_picture(heatmap.preview(analyzed.film.pixels)),
        rows=_rows(analyzed, predictor, words),
        warnings=analyzed.warnings,
        meaning=words.of("meaning", mix=_mix(analyzed.prediction.prevalence)),
        evidence=[_evidence(analyzed, label, figures, words) for label in shown(analyzed)],
        highest=not analyzed.prediction.flagged,
        measured_on=words.of("measured_on", boxes=str(figures.boxes or _DASH)),
        measured=_measured(figures, words),
        model=_model(predictor, figures, words),
        pictures=words.of("pictures", side=str(heatmap.LONG_SIDE)),
    )


def shown(analyzed: Analysis) -> list[str]:
    """The labels whose evidence the report shows: the flagged ones, or else the likeliest."""
    ranked = [label for label in analyzed.prediction.ranked() if label != NO_FINDING]
    return [label for label in ranked if label in analyzed.prediction.flagged] or ranked[:1]


class _Words:
    """The words of the report in one language."""

    def __init__(self, language: str) -> None:
        self.language = Text(ENGLISH, CHINESE).in_language(language)

    def of(self, key: str, **values: str | Text) -> str:
        text = REPORT[key].filled(**values) if values else REPORT[key]
        return text.in_language(self.language)

    def figure(self, figure: Figure | None) -> str:
        """A share as a percentage, with its interval."""
        return self._with_interval(figure, lambda value: f"{100 * value:.0f}\u00a0%")

    def area(self, figure: Figure | None) -> str:
        """An area under a curve, with its interval."""
        return self._with_interval(figure, lambda value: f"{value:.2f}")

    def _with_interval(self, figure: Figure | None, write) -> str:
        if figure is None:
            return _DASH
        if figure.interval is None:
            return write(figure.value)
        low, high = map(write, figure.interval)
        return write(figure.value) + self.of("interval", low=low, high=high)


def _rows(analyzed: Analysis, predictor: Predictor, words: _Words) -> list[dict[str, Any]]:
    prediction = analyzed.prediction
    shares = dict(zip(LABELS, predictor.config.shares(prediction.prevalence), strict=True))
    return [
        {
            "name": _name(label),
            "sentence": cxr_labels.TABLE[cxr_labels.index(label)].sentence,
            "score": _percent(p),
            "threshold": _threshold(analyzed, label, words),
            "reached": label in prediction.flagged,
            "mark": words.of(_mark(analyzed, label)),
            "prevalence": _percent(shares[label]),
        }
        for label, p in prediction.ranked().items()
    ]


def _mark(analyzed: Analysis, label: str) -> str:
    if label not in analyzed.prediction.thresholds:
        return "never"
    return "yes" if label in analyzed.prediction.flagged else "no"


def _threshold(analyzed: Analysis, label: str, words: _Words) -> str:
    limit = analyzed.prediction.thresholds.get(label)
    return words.of("none") if limit is None else _percent(limit)


def _evidence(analyzed: Analysis, label: str, figures: Measured, words: _Words) -> dict[str, str]:
    name = _name(label)
    return {
        "name": name,
        "alt": words.of("evidence_alt", finding=name),
        "picture": _picture(analyzed.overlay_of(label)),
        "score": words.of(
            "reached_one",
            score=_percent(analyzed.prediction.probabilities[label]),
            threshold=_threshold(analyzed, label, words),
        ),
        "right": _right(label, figures, words),
    }


def _right(label: str, figures: Measured, words: _Words) -> str:
    """How often the maps of one finding pointed right."""
    pointing = figures.findings.get(label)
    if pointing is None:
        return words.of("pointing_unknown")
    control = ""
    if pointing.constant:
        control = words.of("pointing_control", control=words.figure(pointing.constant))
    return words.of(
        "pointing_one",
        boxes=str(figures.boxes_of.get(label, _DASH)),
        model=words.figure(pointing.model),
        control=control,
    )


def _measured(figures: Measured, words: _Words) -> list[tuple[str, str, str, str]]:
    """Rows of what the maps and the two controls reach."""
    answers: dict[str, Answers | None] = {
        "pointing": figures.pointing,
        "overlap": figures.overlap,
    }
    return [
        (
            words.of(key),
            words.figure(found.model),
            words.figure(found.constant),
            words.figure(found.random),
        )
        for key, found in answers.items()
        if found
    ]


def _model(predictor: Predictor, figures: Measured, words: _Words) -> list[tuple[str, str]]:
    config, model = predictor.config, predictor.model
    auroc = words.area(figures.auroc) if figures.auroc else words.of("unknown")
    alone = config.metrics.get("metadata_only_mean_auroc")
    if figures.auroc and alone is not None:
        auroc += words.of("auroc_alone", alone=f"{alone:.2f}")
    leaky = config.training.get("split") == "random"
    return [
        (words.of("model"), model.name),
        (words.of("commit"), model.revision or words.of("no_commit")),
        (words.of("network"), f"{config.architecture}, {config.image_size} px"),
        (words.of("auroc_leaky" if leaky else "auroc"), auroc),
    ]


def _mix(prevalence: Prevalence) -> Text:
    stated = cxr.prevalence.name(prevalence)
    if stated in (NIH, TRAINING):
        return REPORT[f"mix_{stated}"]
    return REPORT["mix_own"].filled(stated=stated)


def _name(label: str) -> str:
    return DISPLAY[label]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _picture(pixels) -> str:
    return html_page.data_uri(html_page.jpeg(pixels, _QUALITY), "jpeg")
