"""The web demo: one chest X-ray in, the likely findings out.

    python app.py
    python app.py --model runs/mine --host 0.0.0.0 --port 7860
    python app.py --model OWNER/NAME

The model is --model, else $CXR_MODEL, else the model in models/starter.
"""

import argparse
import os
import sys

from cxr.cli.arguments import find_model, whole_number
from cxr.cli.environment import requires


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("CXR_MODEL") or None,
        metavar="MODEL",
        help="a model folder, else OWNER/NAME[@REVISION] on the Hub, where REVISION is a full "
        "commit (default: $CXR_MODEL, else models/starter)",
    )
    parser.add_argument("--host", default=None, metavar="H", help="address (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=whole_number(1, 65535),
        default=None,
        metavar="P",
        help="port (default: the first free one from 7860 on)",
    )
    # When `gradio app.py` imports this file, the command line is not for this parser.
    return parser.parse_args(None if __name__ == "__main__" else [])


def _build(name: str | None):
    """The page for a model, ready to be launched. Exits with a message if the model fails."""
    import cxr.web.lean_gradio  # noqa: F401 (must come before anything that imports Gradio)
    from cxr import machine
    from cxr.inference.predictor import Predictor
    from cxr.model.errors import HubError, ModelFolderError
    from cxr.web import interface, temporary, zero_gpu

    machine.share_freed_memory()
    temporary.use_own_folder()
    try:
        page = interface.build(Predictor(find_model(name)))
    except (ModelFolderError, HubError) as error:
        sys.exit(str(error))
    zero_gpu.declare()
    return page


def _serve(page, host: str | None, port: int | None) -> None:
    """Serves the page until the program is stopped."""
    from cxr.web import interface, temporary

    temporary.exit_on_sigterm()
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            quiet=True,  # Gradio would recommend a public link, which this page does not offer
            prevent_thread_lock=True,
            **interface.LAUNCH,
        )
    except OSError:
        where = f"port {port}" if port else "any port from 7860 on"
        where += f" of {host}" if host else ""
        sys.exit(
            f"The page cannot be served at {where}; choose another --port, or a --host that "
            "belongs to this machine."
        )
    print(f"The page is at {address}", flush=True)
    page.block_thread()


_chosen = _options()
with requires("requirements.txt"):
    demo = _build(_chosen.model)

if __name__ == "__main__":
    _serve(demo, _chosen.host, _chosen.port)
