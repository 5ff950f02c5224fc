"""The limits of the page and its API."""

from typing import Any

from cxr import machine

KEEP_SECONDS = 3600  # that uploads, and what is made from them, are kept
MAX_MEGABYTES = 50  # of an uploaded file
MAX_IMAGES = 100  # of one request to /predict_many
MAX_LISTED = 200  # images of one list on the page
MAX_WAITING = 64  # requests in the queue

# Keyword arguments of events. Only as many images are decoded at a time as there are cores
# (Predictor.slot). Gradio lets twice as many through, so that the next image is always at hand.
ONE_IMAGE: dict[str, Any] = {"concurrency_id": "image", "concurrency_limit": 2 * machine.cores()}
# A list of images takes as long as all of them, so it waits for other lists only.
LIST: dict[str, Any] = {"concurrency_id": "list", "concurrency_limit": 1}
