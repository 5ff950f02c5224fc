"""The tab on the model, made from its folder: its name, its metrics, and how to use it elsewhere.

The folder may be anybody's. The tab reports missing or invalid files as missing, and still works.
"""

import html
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import gradio as gr
from PIL import Image

from cxr.html_page import data_uri
from cxr.inference.predictor import Predictor
from cxr.model import folder_files, metrics, model_folder
from cxr.model.metrics import Metrics
from cxr.web.page import card, embedding, files, measured, texts
from cxr.web.page.about_words import ABOUT, MEASURED
from cxr.web.page.texts import Text, finding

# The figures that show numbers, and what they show to those who do not see them. Others, which
# might show images, stay in their folder.
PLOTS = {
    "auroc": "Dot plot: AUROC of each label with its 95 % interval, highest first.",
    "roc": "ROC curves of the 15 labels: sensitivity against 1 - specificity.",
    "precision_recall": "Precision against recall of the 15 labels, with the share of images that "
    "carry each as its floor.",
    "reliability": "Share of images with the label against predicted probability, one small plot a "
    "label, with the line on which both are equal.",
    "thresholds": "Sensitivity and specificity against the threshold, one small plot a finding.",
    "accuracy": "Accuracy over 15 labels against the threshold, with what constant answers reach.",
    "subgroups": "Dot plots: mean AUROC, sensitivity and underdiagnosis of groups of patients.",
    "history": "Loss, and AUROC on validation patients, over the epochs of the training.",
    "learning_rate": "Loss against the learning rate, with the rate that was chosen.",
}
_LARGEST_PLOT = 2 * 2**20  # bytes
_WIDEST_PLOT = 4096  # px, of either side

_CALL = """\
from gradio_client import Client, handle_file

client = Client("ADDRESS")
image = handle_file("image.png")
label = client.predict(image, api_name="/predict")
found = client.predict(image, api_name="/analyze")
"""

CSS = files.read("about.css")


def add(predictor: Predictor) -> None:
    """Adds the tab's content to the page that is being built."""
    folder = predictor.folder
    with gr.Column(elem_id="about"):
        gr.HTML(_model(predictor) + _measured(metrics.find(folder)), apply_default_css=False)
        with gr.Accordion(texts.marker("plots"), open=False, elem_id="about-plots") as drawn:
            plot_images = gr.HTML(apply_default_css=False)
        gr.HTML(
            _limits() + _embed() + _call() + _privacy(),
            js_on_load=embedding.ADDRESS,
            apply_default_css=False,
        )
        with gr.Accordion(texts.marker("card"), open=False, elem_id="about-card") as about:
            shown = gr.HTML(apply_default_css=False)
    for part, made, place in ((drawn, _plotter, plot_images), (about, _carder, shown)):
        part.expand(made(folder), None, place, api_visibility="private", show_progress="hidden")


def plots(folder: Path) -> dict[str, Path]:
    """The figures of a model folder that are shown, {name: file}."""
    drawn = folder / model_folder.FIGURES
    files = {name: drawn / f"{name}.png" for name in PLOTS}
    return {name: file for name, file in files.items() if _is_plot(drawn, file)}


def _is_plot(drawn: Path, file: Path) -> bool:
    """Whether it is a PNG of the folder that no visitor's browser chokes on."""
    if not (folder_files.lies_in(drawn, file) and file.is_file()):
        return False
    try:
        if file.stat().st_size > _LARGEST_PLOT:
            return False
        with Image.open(file, formats=["PNG"]) as image:
            return max(image.size) <= _WIDEST_PLOT
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _plotter(folder: Path) -> Callable[[], str]:
    """The plots as HTML that holds them, so that no address tells where the folder lies."""

    @cache
    def show() -> str:
        found = plots(folder)
        if not found:
            return _paragraph("plotless")
        return f'<div class="plots">{"".join(_plot(*plot) for plot in found.items())}</div>'

    return show


def _plot(name: str, file: Path) -> str:
    address = data_uri(file.read_bytes(), "png")
    image = f'<img src="{address}" alt="{html.escape(PLOTS[name])}">'
    return f"<figure><h3>{ABOUT[f'plot_{name}'].html}</h3>{image}</figure>"


def _carder(folder: Path) -> Callable[[], str]:
    """The card as HTML; made when it is first asked for."""

    @cache
    def show() -> str:
        text = folder_files.text(folder, model_folder.CARD, card.LARGEST)
        if not text or not text.strip():
            return _paragraph("cardless")
        return f'<div lang="en">{card.render(text)}</div>'

    return show


def _model(predictor: Predictor) -> str:
    """Name, commit, network and licences, and what it must not be used for."""
    model, config = predictor.model, predictor.config
    text = folder_files.text(predictor.folder, model_folder.CARD, card.LARGEST)
    named = card.licence(text or "")
    facts = {"name": f"<code>{html.escape(model.name)}</code>"}
    if model.revision:
        facts["commit"] = _link(model.address, f"<code>{model.revision}</code>")
    facts["network"] = f"{html.escape(config.architecture[:100])}, {config.image_size} px"
    if named:
        facts["licence"] = html.escape(named)
    facts["software"] = "Apache-2.0"
    rows = "".join(
        f'<tr><th scope="row">{ABOUT[key].html}</th><td>{value}</td></tr>'
        for key, value in facts.items()
    )
    return (
        f'<h2>{ABOUT["model"].html}</h2><p class="use"><strong>{ABOUT["use"].html}</strong></p>'
        f'<div class="wide"><table>{rows}</table></div>'
    )


def _measured(metrics: Metrics | None) -> str:
    """The main metrics beside their controls, and those of each finding."""
    heading = f"<h2>{ABOUT['measured'].html}</h2>"
    if metrics is None:
        return heading + _paragraph("unmeasured")
    rows = [(row.what, row.value, row.control) for row in measured.headline(metrics)]
    return (
        heading
        + f"<p>{measured.images(metrics).html}</p>"
        + _table(("figure", "value", "control"), rows)
        + _each(metrics)
    )


def _each(metrics: Metrics) -> str:
    rows = [
        (
            finding(one.label),
            _both(f"{one.positives:,}"),
            one.auroc,
            one.sensitivity,
            one.specificity,
        )
        for one in measured.findings(metrics)
    ]
    head = ("finding", "positives", "auroc_of_one", "sensitivity", "specificity")
    return f"<details><summary>{MEASURED['each'].html}</summary>{_table(head, rows)}</details>"


def _both(words: str) -> Text:
    return Text(words, words)


def _limits() -> str:
    names = [name for name in ABOUT if name.startswith("limit_")]
    items = "".join(f"<li>{ABOUT[name].html}</li>" for name in names)
    return f"<h2>{ABOUT['limits'].html}</h2><ul>{items}</ul>"


def _embed() -> str:
    return (
        f"<h2>{ABOUT['embed'].html}</h2>"
        f"{_paragraph('embed_frame')}{_snippet(embedding.FRAME)}"
        f"{_paragraph('embed_component')}{_snippet(embedding.COMPONENT)}"
        f"{_paragraph('embed_say')}"
    )


def _call() -> str:
    return (
        f"<h2>{ABOUT['call'].html}</h2>{_paragraph('call_python')}{_snippet(_CALL)}"
        f'<p><a data-path="?view=api" target="_blank" rel="noopener">{ABOUT["call_more"].html}</a>'
    )


def _privacy() -> str:
    names = [name for name in ABOUT if name.startswith("privacy_")]
    return f"<h2>{ABOUT['privacy'].html}</h2>{''.join(map(_paragraph, names))}"


def _paragraph(name: str) -> str:
    return f"<p>{ABOUT[name].html}</p>"


def _snippet(code: str) -> str:
    """Code to be copied; the page's address is put in by the page itself."""
    address = '<span class="address">ADDRESS</span>'
    shown = html.escape(code).replace("ADDRESS", address)
    return f'<pre class="snippet"><code>{shown}</code></pre>'


def _link(address: str, content: str) -> str:
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener">{content}</a>'


def _table(head: Iterable[str], rows: Iterable[Iterable[Text]]) -> str:
    """A table of texts; the first of each row is its head."""
    columns = "".join(f'<th scope="col">{MEASURED[name].html}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{first.html}</th>{"".join(f"<td>{t.html}</td>" for t in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
