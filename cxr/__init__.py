"""Findings on chest X-rays. For research, not for clinical use.

    import cxr

    model = cxr.load("models/starter")  # or "OWNER/NAME@COMMIT" on the Hugging Face Hub
    result = model.predict("chest.png")
    result.probabilities["Effusion"], result.flagged, result.warnings
    result.heatmap("Effusion")  # float32 [h, w]
    result.overlay("Effusion")  # a Pillow image

`import cxr` is fast: what these names need is imported when they are first used.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime reads this when it is imported. Otherwise it reports usage to its makers, and writes
# an identifier of this machine into the user's home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "1.0.0"

__all__ = [
    "HubError",
    "ImageError",
    "Model",
    "ModelFolderError",
    "Prediction",
    "PrevalenceError",
    "load",
    "read_image",
]

if TYPE_CHECKING:
    from cxr.imaging import ImageError, read_image
    from cxr.inference.api import Model, load
    from cxr.inference.prediction import Prediction
    from cxr.inference.prevalence import PrevalenceError
    from cxr.model.errors import HubError, ModelFolderError

_MODULES = {
    "HubError": "cxr.model.errors",
    "ImageError": "cxr.imaging",
    "Model": "cxr.inference.api",
    "ModelFolderError": "cxr.model.errors",
    "Prediction": "cxr.inference.prediction",
    "PrevalenceError": "cxr.inference.prevalence",
    "load": "cxr.inference.api",
    "read_image": "cxr.imaging",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
