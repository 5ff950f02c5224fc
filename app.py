"""The demo: one chest X-ray in, the likely findings out.

    python app.py
    python app.py --model runs/mine --host 0.0.0.0 --port 7860
    python app.py --model OWNER/NAME

The model is --model, else $CXR_MODEL, else the embedded models/starter.
"""

import argparse
import os
import sys

from cxr.cli.environment import requires

with requires("requirements.txt"):
    import cxr.web.lean_gradio  # noqa: F401 (before anything imports Gradio)
    from cxr import machine
    from cxr.inference.predictor import Predictor
    from cxr.model import resolve
    from cxr.model.errors import HubError, ModelFolderError
    from cxr.web import interface, temporary, zero_gpu


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("CXR_MODEL") or None,
        metavar="MODEL",
        help="an existing folder, else OWNER/NAME[@REVISION] on the Hub, pinned by a full commit "
        "(default: $CXR_MODEL, else the embedded starter)",
    )
    parser.add_argument("--host", default=None, metavar="H", help="address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=None, metavar="P", help="port (default: 7860, or the next free)"
    )
    # Imported, as by `gradio app.py`, the command line is somebody else's.
    return parser.parse_args(None if __name__ == "__main__" else [])


options = _options()
machine.share_freed_memory()
temporary.take()
try:
    model = resolve.find(options.model)
    demo = interface.build(Predictor(model))
except (ModelFolderError, HubError) as error:
    sys.exit(str(error))
if model.note:
    print(model.note, file=sys.stderr)
zero_gpu.declare()

if __name__ == "__main__":
    temporary.end_on_terminate()
    demo.launch(server_name=options.host, server_port=options.port, **interface.LAUNCH)
