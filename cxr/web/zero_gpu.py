"""ZeroGPU, the free kind of Space, ends a page that has no function for its GPU.

This page computes on the CPU, in milliseconds, so it has none; there, one is declared that nobody
calls, and no visitor's share of GPU time is spent.
"""

import os


def declare() -> None:
    """Declares the function on a ZeroGPU Space, before the page launches; elsewhere nothing."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return
    # The platform's own package, which reports what was declared when Gradio launches.
    import spaces

    spaces.GPU(_never_called)


def _never_called() -> None:
    """Asks for a GPU, if anybody called it."""
