"""Where the milliseconds of one request go: a film sent to the page, and its answer."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import over_http, pages
from benchmarks.layout import films_of
from cxr import radiograph
from cxr.prevalence import DEFAULT
from cxr.serving import analysis
from cxr.serving.predictor import Predictor


def profile(data: Path, model: Path) -> dict[str, float]:
    """Milliseconds of each part of a request that is alone, {part: mean over films}.

    The predictor's parts are measured by themselves; what they leave of the whole request is
    Gradio's and the client's.
    """
    predictor, files = Predictor(model), films_of(data)
    size = predictor.config.image_size
    read, films = _each(radiograph.read, files)
    reduce, pixels = _each(lambda film: radiograph.squeeze(film, size)[None, None], films)
    network, outputs = _each(predictor.run, pixels)
    screening, _ = _each(
        lambda pair: predictor.screen(*pair), list(zip(pixels, outputs, strict=True))
    )
    predict, _ = _each(lambda film: predictor.predict([film], DEFAULT), films)
    whole, analyses = _each(lambda file: analysis.analyze(predictor, file), files)
    boxes, _ = _each(lambda found: analysis.answer(predictor, "film.png", found), analyses)
    return {
        "read the file": read,
        "reduce": reduce,
        "network": network,
        "screening": screening,
        "probabilities": predict - reduce - network - screening,
        "boxes and JSON": boxes,
        "HTTP, Gradio and client": _over_http(files, model) - whole - boxes,
    }


def _each(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Milliseconds an item, the median of five rounds, and what came of them."""
    found, rounds = [work(item) for item in items], []
    for _ in range(5):
        begun = time.perf_counter()
        for item in items:
            work(item)
        rounds.append(1000 * (time.perf_counter() - begun) / len(items))
    return statistics.median(rounds), found


def _over_http(files: list[bytes], model: Path) -> float:
    with pages.running("app.py", "--model", str(model)) as (address, _):
        connection = over_http.connected(address)
        return _each(lambda file: over_http.asked(connection, file), files)[0]
