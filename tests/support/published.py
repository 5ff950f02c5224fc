"""The files of a model on the Hub."""

import json

from support import STARTER


def published(**changed: object) -> dict[str, bytes]:
    """The starter's files without safetensors, and a pickle that must not be opened.

    Args:
        **changed: Entries of config.json to change.
    """
    files = {
        path.relative_to(STARTER).as_posix(): path.read_bytes()
        for path in STARTER.rglob("*")
        if path.is_file() and path.suffix != ".safetensors"
    }
    files["model.pkl"] = b"must not be opened"
    config = json.loads(files["config.json"]) | changed
    return files | {"config.json": json.dumps(config).encode()}
