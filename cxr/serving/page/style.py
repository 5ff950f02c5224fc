"""How the page looks: theme, style sheet, and what goes into the document's head."""

import gradio as gr

from cxr.serving.page.texts import LANGUAGE_CSS

_SANS, _MONO = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # nothing is fetched

THEME = gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_SANS, font_mono=_MONO)

CSS = """
.gradio-container { max-width: 1200px !important; margin: 0 auto !important; }
#disclaimer { border-left: 4px solid var(--color-accent); padding-left: 14px; }
#problem { border: 1px solid var(--color-accent); border-radius: 8px; padding: 10px 16px; }
#examples { height: auto; }
#examples .caption-label { max-width: 100%; left: 0; font-size: 12px; }
#table table { width: 100%; border-collapse: collapse; border-width: 0 !important; }
#table th, #table td { text-align: left; vertical-align: top; padding: 6px 10px 6px 0;
  border-width: 0 0 1px 0 !important; border-color: var(--border-color-primary); }
#table td:nth-child(2), #table td:nth-child(3) { text-align: right; white-space: nowrap; }
#table small { display: block; opacity: 0.8; }
#table .flagged { font-weight: 600; }
@media (max-width: 480px) {
  #table th, #table td { padding-right: 6px; font-size: 12px; }
  #table td:first-child { overflow-wrap: anywhere; }
}
"""

# Gradio confines `css` to what lies inside the page's own frame; this styles the frame.
HEAD = f"""<style>{LANGUAGE_CSS}@media (max-width: 480px) {{
.gradio-container .main {{ padding-left: 12px !important; padding-right: 12px !important; }}
}}</style>"""
