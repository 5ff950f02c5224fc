"""A model as it lies on the Hub."""

import json

from support import STARTER


def published(**changed: object) -> dict[str, bytes]:
    """A model as it lies on the Hub: the starter's files, a pickle that nobody may open, and
    entries of its config.json changed."""
    files = {
        path.relative_to(STARTER).as_posix(): path.read_bytes()
        for path in STARTER.rglob("*")
        if path.is_file() and path.suffix != ".safetensors"
    }
    files["model.pkl"] = b"not for opening"
    config = json.loads(files["config.json"]) | changed
    return files | {"config.json": json.dumps(config).encode()}
