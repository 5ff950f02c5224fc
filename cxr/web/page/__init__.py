"""What visitors see, tab by tab; and the limits that hold for the page and its API alike."""

from typing import Any

from cxr import machine

KEPT = 3600  # seconds that uploads, and what is made of them, are kept
MOST_IMAGES = 100  # images of one request
WAITING = 64  # requests that may wait for their turn

# Keyword arguments for events. As many images are opened at a time as there are cores, whoever asks
# for them (Predictor.place); as many again have gone through Gradio and are next, so that no core
# waits for it. A list of images, which takes as long as all of them, waits only for other lists.
AT_ONCE: dict[str, Any] = {"concurrency_id": "image", "concurrency_limit": 2 * machine.cores()}
LISTS_AT_ONCE: dict[str, Any] = {"concurrency_id": "list", "concurrency_limit": 1}
