"""What is taken out of Gradio, and that nothing else goes with it."""

import subprocess
import sys

import gradio as gr
from gradio_client import Client
from support import ROOT


def test_requests_are_not_summed_up_behind_the_scenes():
    """However many requests came, Gradio holds the record of one and has computed no summary."""
    with gr.Blocks(analytics_enabled=False) as page:
        text = gr.Textbox()
        text.submit(lambda text: text, text, text, api_name="echo")
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        client = Client(address, verbose=False)
        assert [client.predict(word, api_name="/echo") for word in "abc"] == list("abc")
        assert len(page._queue.event_analytics) == 1
        assert page._queue.cached_event_analytics_summary == {"functions": {}}
    finally:
        page.close()


# What is asked for where matplotlib is not installed: how often it is looked for in folders.
LOOKED_FOR = """
import importlib.machinery, sys
looked = []

class Nowhere(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        looked.append(name)
        return None if name == "matplotlib" else super().find_spec(name, path, target)

sys.meta_path = [f for f in sys.meta_path if f is not importlib.machinery.PathFinder] + [Nowhere]
import cxr.web.lean_gradio
for _ in range(3):
    try:
        import matplotlib
    except ImportError:
        pass
print(looked.count("matplotlib"))
"""


def test_matplotlib_is_looked_for_once():
    """Where it is not installed, it is found missing without a look at the folders."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKED_FOR], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
