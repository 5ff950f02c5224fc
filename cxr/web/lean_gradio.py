"""Removes from Gradio what takes time and is of no use here. Import it before Gradio.

Only `app.py` imports it. Measured with Gradio 6.31.0 on Python 3.11:

- With every import, Gradio parses the source of each of its components, to update type stubs for
  editors: a third of the CPU time that app.py needs to start.
- After every request, it summarises the last 10,000 requests with pandas for a monitoring page that
  this project does not offer: 22 ms, where an image takes 75 ms.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from types import ModuleType

_MODULE = "gradio.component_meta"


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module that writes the stubs as usual, but gives it another loader."""

    def find_spec(self, fullname, path, target=None):
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads the module and replaces the function that writes a stub."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        vars(module)["create_or_modify_pyi"] = lambda *_: None


sys.meta_path.insert(0, _Finder())
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)  # requests between two summaries
