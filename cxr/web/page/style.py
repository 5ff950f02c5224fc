"""How the page looks: theme, colours, style sheet, and what goes into the document's head."""

import gradio as gr

from cxr.web.page import files
from cxr.web.page.texts import LANGUAGE_CSS

_SANS, _MONO = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # nothing is fetched

THEME = gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_SANS, font_mono=_MONO)

# The page's own colours, by theme; `page.css` knows them as --cxr-NAME.
COLOURS = {
    "light": {
        "ground": "#ffffff",
        "ink": "#0f172a",
        "soft": "#475569",
        "line": "#cbd5e1",
        "edge": "#64748b",
        "accent": "#0f766e",
        "on-accent": "#ffffff",
        "fill": "#0d9488",
        "calm": "#64748b",
        "track": "#e2e8f0",
        "flag": "#9a3412",
        "flag-ground": "#ffedd5",
        "warn": "#78350f",
        "warn-ground": "#fffbeb",
        "warn-line": "#b45309",
    },
    "dark": {
        "ground": "#111a2c",
        "ink": "#e6edf6",
        "soft": "#a9b8cc",
        "line": "#334155",
        "edge": "#8294ab",
        "accent": "#5eead4",
        "on-accent": "#06231f",
        "fill": "#2dd4bf",
        "calm": "#94a3b8",
        "track": "#28364c",
        "flag": "#fdba74",
        "flag-ground": "#43210f",
        "warn": "#fde68a",
        "warn-ground": "#33240a",
        "warn-line": "#f59e0b",
    },
}
# Which of them stand on which, for the test of their contrast: text needs 4.5, a mark 3.
TEXT_ON = [
    ("ink", "ground"),
    ("soft", "ground"),
    ("accent", "ground"),
    ("on-accent", "accent"),
    ("flag", "flag-ground"),
    ("flag", "ground"),
    ("warn", "warn-ground"),
]
MARK_ON = [
    ("fill", "ground"),
    ("fill", "track"),
    ("calm", "track"),
    ("ink", "track"),
    ("edge", "ground"),
    ("warn-line", "ground"),
]


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--cxr-{name}: {colour};" for name, colour in colours.items())


CSS = "\n".join(
    [
        f":root {{ {_variables(COLOURS['light'])} }}",
        f".dark {{ {_variables(COLOURS['dark'])} }}",
        LANGUAGE_CSS,
        files.read("page.css"),
    ]
)

# Gradio confines media queries of `css` to what lies inside the page's own frame; this styles the
# frame.
HEAD = """<style>@media (max-width: 480px) {
.gradio-container .main { padding-left: 12px !important; padding-right: 12px !important; }
}</style>"""
