"""A description of the machine that the measurements ran on."""

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from cxr import machine


def description() -> str:
    """The GPU if PyTorch is loaded and has one; the cores, the processor and the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_gpu()}{machine.cores()} cores of {_processor()}, {memory:.0f} GB of memory"


def _gpu() -> str:
    torch: Any = sys.modules.get("torch")
    if not torch or not torch.cuda.is_available():
        return ""
    return f"{torch.cuda.get_device_name()} with torch {torch.__version__}, "


def _processor() -> str:
    """The processor's name on Linux, with the vector instructions that matter to speed."""
    file = Path("/proc/cpuinfo")
    text = file.read_text() if file.is_file() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.M)
    name = model[1] if model else platform.machine()
    vectors = [word for word in ("avx2", "avx512f", "amx_tile") if re.search(rf"\b{word}\b", text)]
    return f"{name} ({', '.join(vectors)})" if vectors else name
