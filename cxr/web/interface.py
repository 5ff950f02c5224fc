"""The web page and its API: `build` makes a Gradio page for a model.

`endpoints` has what scripts call; `page` has what visitors see, tab by tab.
"""

import contextlib
import html
from collections.abc import AsyncIterator
from typing import Any, cast

import gradio as gr
from gradio.routes import App

from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.model import examples
from cxr.model.config import Config
from cxr.model.resolve import Model
from cxr.web import endpoints, errors, gradio_sessions, limits, temporary
from cxr.web.page import about, embedding, language, one_image, several_images, style, texts
from cxr.web.page.texts import words
from cxr.web.recent import RecentPredictions


class _Page(errors.Blocks):
    """The page, with the predictions that it keeps."""

    recent: RecentPredictions


@contextlib.asynccontextmanager
async def _while_served(app: App) -> AsyncIterator[None]:
    """Runs in the background: files and predictions of visitors are dropped when they are old."""
    page = cast(_Page, app.get_blocks())
    every, age = temporary.schedule(limits.KEEP_SECONDS)
    async with gradio_sessions.copied(app), temporary.sweeping(every, age, page.recent.drop_old):
        yield


# Arguments of launch(). Nothing of a visitor is kept or shown: no run history, no monitoring page,
# no traceback.
LAUNCH: dict[str, Any] = {
    "theme": style.THEME,
    "css": style.CSS + about.CSS,
    "head": style.HEAD + embedding.HEAD,
    "i18n": texts.translations(),
    "max_file_size": limits.MAX_MEGABYTES * 10**6,
    "show_error": False,
    "share": False,
    "run_history": False,
    "enable_monitoring": False,
    "footer_links": ["api", "settings"],
    "ssr_mode": False,
    "state_session_capacity": 1000,
    "app_kwargs": {
        "lifespan": _while_served,
        **errors.APP,
    },
}


def build(predictor: Predictor) -> gr.Blocks:
    """Makes the page for a model; `build(predictor).launch(**LAUNCH)` serves it."""
    offered = examples.find(predictor.folder)
    # Gradio serves only files below its working folder and files that it is told of. Their folder
    # would not do: in the Hub's cache an image is a link to a file somewhere else.
    gr.set_static_paths([example.path for example in offered])
    every, age = temporary.schedule(limits.KEEP_SECONDS)
    with _Page(
        title="Findings on a chest X-ray", analytics_enabled=False, delete_cache=(every, age)
    ) as demo:
        demo.recent = RecentPredictions(predictor, age)
        language.add(["one_image", "several_images", "about"])
        gr.HTML(introduction(predictor), apply_default_css=False, elem_id="introduction")
        with gr.Tabs():
            with gr.Tab(texts.marker("one_image"), id="image"):
                one_image.add(predictor, demo.recent, offered)
            with gr.Tab(texts.marker("several_images"), id="images"):
                several_images.add(predictor)
            with gr.Tab(texts.marker("about"), id="about"):
                about.add(predictor)
        gr.HTML(
            f"<p>{texts.translated(results.DISCLAIMER).html}</p>",
            apply_default_css=False,
            elem_id="disclaimer",
        )
        embedding.add_link()
        endpoints.add(predictor)
    # Requests that would bypass the queue are rejected; by default Gradio does so on Spaces only.
    demo.queue(max_size=limits.MAX_WAITING, api_open=False)
    return demo


def introduction(predictor: Predictor) -> str:
    """What the page is and which model it serves, as HTML; the model's texts are not trusted."""
    config = predictor.config
    about = f"{html.escape(config.architecture)}, {config.image_size} px{_measured(config)}"
    note = predictor.model.note
    return (
        f"<h1>{words('title')}</h1><p>{words('introduction')}</p>"
        f'<p class="model">{words("model")} {_named(predictor.model)} ({about}). '
        f"{texts.translated(note).html if note else ''}</p>"
    )


def _named(model: Model) -> str:
    """The model's name; for a model on the Hub also its short commit, linked to the full one."""
    name = f"<code>{html.escape(model.name)}</code>"
    if not model.revision:
        return name
    address, commit = html.escape(model.address), html.escape(model.revision)
    return f'{name}, {words("commit")} <a href="{address}" title="{commit}">{commit[:7]}</a>'


def _measured(config: Config) -> str:
    """The mean AUROC, beside what metadata alone reaches."""
    auroc = config.metrics.mean_auroc
    if auroc is None:
        return ""
    alone = config.metrics.metadata_only_mean_auroc
    leaky = config.training.get("split") == "random"
    return "".join(
        [
            f", {words('auroc', auroc=f'{auroc.value:.2f}')}",
            words("interval", low=f"{auroc.ci95[0]:.2f}", high=f"{auroc.ci95[1]:.2f}")
            if auroc.ci95
            else "",
            words("held_out"),
            words("leaky") if leaky else "",
            words("alone", auroc=f"{alone:.2f}") if alone is not None else "",
        ]
    )
