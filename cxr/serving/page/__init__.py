"""What visitors see, tab by tab; and the limits that hold for the page and its API alike."""

from typing import Any

KEPT = 3600  # seconds that uploads, and what is made of them, are kept
MOST_FILMS = 100  # films of one request
WAITING = 64  # requests that may wait for their turn

# Keyword arguments for events. Two films are opened at a time, whoever asks for them: one is
# decoded while the network runs on the other, and memory stays bounded. A list of films, which
# takes as long as all of them, waits only for other lists.
AT_ONCE: dict[str, Any] = {"concurrency_id": "film", "concurrency_limit": 2}
LISTS_AT_ONCE: dict[str, Any] = {"concurrency_id": "list", "concurrency_limit": 1}
