"""The page inside other people's pages: the compact view, its height, and how to embed it.

`?view=compact` shows only the upload and the most likely findings. In a frame the
page tells the page around it how high it is, in pixels, as `{"chestXrayHeight": 480}`; nothing else
leaves it.
"""

import gradio as gr

from cxr.web.page import files
from cxr.web.page.about_words import ABOUT

# What the compact view keeps, by its id.
_KEPT = (
    "image",
    "formats",
    "examples",
    "busy",
    "problem",
    "label",
    "meaning",
    "disclaimer",
    "full-page",
)
_STYLE = files.read("embedding.css").replace("KEPT", ", ".join(f"#{name}" for name in _KEPT))

HEAD = f"<script>{files.read('embedding.js')}</script><style>{_STYLE}</style>"
ADDRESS = files.read("address.js")

FRAME = """\
<iframe id="chest-xray" src="ADDRESS/?view=compact" title="Findings on a chest X-ray"
        style="width: 100%; height: 480px; border: 0"></iframe>
<script>
  addEventListener("message", ({ source, data }) => {
    const frame = document.getElementById("chest-xray");
    if (source === frame.contentWindow && data?.chestXrayHeight > 0)
      frame.style.height = `${data.chestXrayHeight}px`;
  });
</script>
"""

COMPONENT = """\
<gradio-app src="ADDRESS"></gradio-app>
<script type="module">
  const page = await (await fetch("ADDRESS/")).text();
  const parsed = new DOMParser().parseFromString(page, "text/html");
  const script = parsed.querySelector("script[type=module][src]").getAttribute("src");
  await import(new URL(script, "ADDRESS/"));
</script>
"""


def add_link() -> None:
    """The way from the compact view to all of the page."""
    gr.HTML(
        f'<a data-path="" target="_blank" rel="noopener">{ABOUT["full"].html}</a>',
        apply_default_css=False,
        elem_id="full-page",
        js_on_load=ADDRESS,
    )
