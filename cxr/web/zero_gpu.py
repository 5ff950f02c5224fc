"""ZeroGPU, the free kind of Space, stops a page that has no function for its GPU.

This page computes on the CPU, in milliseconds, so it needs no such function. On ZeroGPU it declares
one that is never called, so that no visitor's share of GPU time is used.
"""

import os


def declare() -> None:
    """Declares the function, before the page launches; does nothing outside a ZeroGPU Space."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return
    # The platform's own package. It reports the declared functions when Gradio launches.
    import spaces

    spaces.GPU(_never_called)


def _never_called() -> None:
    """Would use a GPU if it were called."""
