"""The page inside other people's pages: the compact view, its height, and how to embed it.

`?view=compact` leaves of the page a film's way in and its most likely findings. In a frame the
page tells the page around it how high it is, in pixels, as `{"chestFilmHeight": 480}`; nothing else
leaves it.
"""

import gradio as gr

from cxr.serving.page.texts import ABOUT

FULL = "full-page"

# What the compact view keeps. A warning, what a score means and the disclaimer are no extras.
_KEPT = ", ".join(
    f"#{name}" for name in ("film", "examples", "problem", "label", "meaning", "disclaimer", FULL)
)

_SCRIPT = """
// As a web component the page is part of somebody else's document, which is left alone.
if (window.__gradio_mode__ === "app") {
  const root = document.documentElement;
  const view = new URLSearchParams(location.search).get("view");
  root.classList.toggle("compact", view === "compact");
  if (window.parent !== window) {
    root.classList.add("framed");
    const page = document.querySelector("gradio-app");
    const tell = () => {
      const height = Math.ceil(page.getBoundingClientRect().height);
      window.parent.postMessage({ chestFilmHeight: height }, "*");
    };
    new ResizeObserver(tell).observe(page);
  }
}
"""

# Gradio stretches the page to the window's height; in a frame, whose height follows the page's,
# it would never shrink again.
_STYLE = f"""
.framed :is(body, gradio-app, .gradio-container, .gradio-container > .main, .main > .wrap) {{
  flex-grow: 0 !important; min-height: 0 !important;
}}
html:not(.compact) gradio-app:not(.compact) #{FULL} {{ display: none; }}
.compact .gradio-container :is(.column, .row, .form, .tabs)
  > :not({_KEPT}, :has({_KEPT}), :is({_KEPT}) *) {{ display: none !important; }}
.compact .gradio-container footer {{ display: none !important; }}
.compact .gradio-container .main {{ padding: 8px 12px !important; }}
.compact .gradio-container :is(.column, .row, .tabs, .tabitem) {{ gap: 8px !important; }}
.compact .gradio-container .row {{ flex-wrap: wrap; }}
.compact .gradio-container .column {{ min-width: 0 !important; }}
.compact .gradio-container .row > .column {{ flex: 1 1 260px !important; }}
.compact .gradio-container :is(#examples, #examples .gallery-container, #examples .grid-wrap) {{
  height: auto !important; min-height: 0 !important; }}
.compact .gradio-container #examples .grid-container {{
  grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)) !important; }}
.compact .gradio-container #examples .caption-label {{ display: none; }}
.compact .gradio-container .tabitem {{ padding: 0 !important; border: 0 !important; }}
.compact .gradio-container :is(#meaning, #disclaimer, #problem) * {{ font-size: 12px !important; }}
.compact .gradio-container #{FULL} a {{ padding: 0; font-size: 13px; }}
"""

HEAD = f"<script>{_SCRIPT}</script><style>{_STYLE}</style>"

FRAME = """\
<iframe id="chest-film" src="ADDRESS/?view=compact" title="Findings on a chest film"
        style="width: 100%; height: 480px; border: 0"></iframe>
<script>
  addEventListener("message", ({ source, data }) => {
    const frame = document.getElementById("chest-film");
    if (source === frame.contentWindow && data?.chestFilmHeight > 0)
      frame.style.height = `${data.chestFilmHeight}px`;
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

# Puts the address of this page, also of one that is a part of another, where it is wanted.
ADDRESS = """
const app = element.closest("gradio-app")?.getAttribute("src");
const address = (app || location.origin + location.pathname).replace(/\\/+$/, "");
for (const place of element.querySelectorAll(".address")) place.textContent = address;
for (const link of element.querySelectorAll("a[data-path]"))
  link.href = address + "/" + link.dataset.path;
"""


def add_link() -> None:
    """The way from the compact view to all of the page."""
    gr.HTML(
        f'<a data-path="" target="_blank" rel="noopener">{ABOUT["full"].html}</a>',
        elem_id=FULL,
        js_on_load=ADDRESS,
    )
