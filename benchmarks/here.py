"""The machine that is measured on."""

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from cxr import machine


def description() -> str:
    """Its GPU, where PyTorch was loaded and has one; its cores, processor and memory, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_gpu()}{machine.cores()} cores of {_processor()}, {memory:.0f} GB of memory"


def _gpu() -> str:
    torch: Any = sys.modules.get("torch")
    if not torch or not torch.cuda.is_available():
        return ""
    return f"{torch.cuda.get_device_name()} with torch {torch.__version__}, "


def _processor() -> str:
    """Its name as Linux has it, with the instructions for vectors that matter to speed."""
    told = Path("/proc/cpuinfo")
    text = told.read_text() if told.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.M)
    name = named[1] if named else platform.machine()
    vectors = [word for word in ("avx2", "avx512f", "amx_tile") if re.search(rf"\b{word}\b", text)]
    return f"{name} ({', '.join(vectors)})" if vectors else name
