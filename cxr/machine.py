"""What this process was granted of the machine."""

import os


def cores() -> int:
    """The cores granted to this process, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
