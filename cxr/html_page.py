"""HTML files that open without any network: style and images lie in them, all text is escaped."""

import base64
import io
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from PIL import Image


def fill(package: str, name: str, filters: Mapping[str, Callable], **values: Any) -> str:
    """The template `name`, a file of that package, with the values put in and escaped.

    A value that is missing is undefined, which is false and shows as nothing.
    """
    source = resources.files(package).joinpath(name).read_text("utf-8")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({name: source}),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    text = environment.get_template(name).render(**values)
    # A file name that is not UTF-8 reaches Python as half characters, which no file can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    """An image, uint8 [H, W] or [H, W, 3], as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return file.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """An image's file as an address that holds it; kind: "png" or "jpeg"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
