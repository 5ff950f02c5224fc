"""The web page and its API: `build` puts a model behind a Gradio page.

What scripts call stands in `endpoints`; what visitors see, tab by tab, in `page`.
"""

from typing import Any

import gradio as gr

from cxr.model_folder import Config
from cxr.serving import analysis, blocks, endpoints, examples, temporary
from cxr.serving.model_source import Model
from cxr.serving.page import KEPT, WAITING, one_film, style, texts
from cxr.serving.page.texts import plain
from cxr.serving.predictor import Predictor

MAX_FILE_SIZE = "50mb"

# What belongs to launch() in Gradio 6. Nothing of a visitor is kept or shown: no run history,
# no monitoring page, no traceback.
LAUNCH: dict[str, Any] = {
    "theme": style.THEME,
    "css": style.CSS,
    "head": style.HEAD,
    "i18n": texts.translations(),
    "max_file_size": MAX_FILE_SIZE,
    "show_error": False,
    "run_history": False,
    "enable_monitoring": False,
    "footer_links": ["api", "settings"],
    "ssr_mode": False,
    "state_session_capacity": 1000,
    "app_kwargs": {
        "lifespan": temporary.swept(*temporary.schedule(KEPT)),
        "exception_handlers": blocks.HANDLERS,
    },
}


def build(predictor: Predictor) -> gr.Blocks:
    """The page for a model; `build(...).launch(**LAUNCH)` serves it."""
    offered = examples.find(predictor.folder)
    # Gradio hands out only what lies below its working folder, or what it is told of.
    gr.set_static_paths([example.path for example in offered])
    with blocks.Blocks(
        title="Findings on a chest film",
        analytics_enabled=False,
        delete_cache=temporary.schedule(KEPT),
    ) as demo:
        gr.Markdown(_introduction(predictor))
        with gr.Tabs(), gr.Tab(texts.marker("one_film"), id="film"):
            one_film.add(predictor, offered)
        gr.Markdown(analysis.DISCLAIMER, elem_id="disclaimer")
        endpoints.add(predictor)
    # Closed to what would go round the queue, as Gradio has it on Spaces only.
    demo.queue(max_size=WAITING, api_open=False)
    return demo


def _introduction(predictor: Predictor) -> str:
    config = predictor.config
    return (
        "# Findings on a chest film\n"
        "A model scores 14 findings on a frontal chest film and shows where on the film the "
        f"evidence lies. Model: {_named(predictor.model)} ({plain(config.architecture)}, "
        f"{config.image_size} px{_measured(config)}). {predictor.model.note}"
    ).rstrip()


def _named(model: Model) -> str:
    """The model's name; of one on the Hub the commit too, short, with all of it in the link."""
    if not model.revision:
        return f"`{model.name}`"
    return f'`{model.name}`, commit [`{model.revision[:7]}`]({model.address} "{model.revision}")'


def _measured(config: Config) -> str:
    """How well it tells films apart, beside what answers without a film reach."""
    auroc = config.metrics.get("mean_auroc")
    if auroc is None:
        return ""
    interval = config.metrics.get("mean_auroc_ci95")
    alone = config.metrics.get("metadata_only_mean_auroc")
    leaky = config.training.get("split") == "random"
    return "".join(
        [
            f", mean AUROC {auroc:.2f}",
            f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "",
            " on held-out films",
            " of patients that training saw too" if leaky else "",
            f"; {alone:.2f} from sex, age and view alone" if alone is not None else "",
        ]
    )
