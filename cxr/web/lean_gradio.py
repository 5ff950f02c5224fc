"""Takes out of Gradio what costs time and is of no use here. Import this before gradio.

Measured with Gradio 6.31.0 on Python 3.11:

- At every import it parses the source of each of its components to keep type stubs for editors up
  to date: half of its 3.3 s.
- After every request it sums up with pandas the last 10,000 of them, for a monitoring page that
  this project does not have: a twentieth of all that an image takes, and more as they add up.
- For every request it looks for matplotlib twice, in all folders that Python imports from.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType

_MODULE = "gradio.component_meta"


class _WithoutStubs(importlib.abc.MetaPathFinder):
    """Finds the module that writes the stubs as usual, and takes the writing out of it."""

    def find_spec(self, fullname, path, target=None):
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        vars(module)["create_or_modify_pyi"] = lambda *_: None


sys.meta_path.insert(0, _WithoutStubs())
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)  # requests from sum to sum
if importlib.util.find_spec("matplotlib") is None:
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # as Python notes an absence
