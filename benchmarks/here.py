"""The machine that is measured on."""

import os
import platform
import re
from pathlib import Path

from cxr import machine


def description() -> str:
    """Its cores, processor and memory, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{machine.cores()} cores of {_processor()}, {memory:.0f} GB of memory"


def _processor() -> str:
    """Its name as Linux has it, with the instructions for vectors that matter to speed."""
    told = Path("/proc/cpuinfo")
    text = told.read_text() if told.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.M)
    name = named[1] if named else platform.machine()
    vectors = [word for word in ("avx2", "avx512f", "amx_tile") if re.search(rf"\b{word}\b", text)]
    return f"{name} ({', '.join(vectors)})" if vectors else name
