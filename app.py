"""The demo: one chest film in, the likely findings out.

    python app.py
    python app.py --model runs/mine --host 0.0.0.0 --port 7860

The model is --model, else $CXR_MODEL, else the embedded models/starter.
"""

import argparse
import os
import sys

from cxr.model_folder import ModelFolderError
from cxr.serving import interface, model_source, zero_gpu
from cxr.serving.predictor import Predictor


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("CXR_MODEL") or None,
        metavar="FOLDER",
        help="model folder (default: $CXR_MODEL, else the embedded starter)",
    )
    parser.add_argument("--host", default=None, metavar="H", help="address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=None, metavar="P", help="port (default: 7860, or the next free)"
    )
    # Imported, as by `gradio app.py`, the command line is somebody else's.
    return parser.parse_args(None if __name__ == "__main__" else [])


options = _options()
try:
    demo = interface.build(Predictor(model_source.find(options.model)))
except ModelFolderError as error:
    sys.exit(str(error))
zero_gpu.declare()

if __name__ == "__main__":
    demo.launch(server_name=options.host, server_port=options.port, **interface.LAUNCH)
