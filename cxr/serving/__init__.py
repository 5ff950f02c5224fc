"""The serving half: any film and a model folder in, findings out. Never imports torch."""

# Before anything here imports Gradio.
import cxr.serving.lean_gradio  # noqa: F401
