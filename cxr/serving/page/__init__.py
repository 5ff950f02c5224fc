"""What visitors see, tab by tab."""

# Before anything imports Gradio.
import cxr.serving.quick_start  # noqa: F401

KEPT = 3600  # seconds that uploads, and what is made of them, are kept
