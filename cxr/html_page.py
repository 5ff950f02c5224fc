"""Documents from Jinja templates, and images inside HTML files that need no network."""

import base64
import io
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from PIL import Image


def fill(
    package: str, name: str, filters: Mapping[str, Callable], escape: bool = True, **values: Any
) -> str:
    """Fills in a template.

    Args:
        package: The package that contains the template.
        name: The template's file name.
        filters: {name: function} that the template may use.
        escape: Escape the values for HTML.
        values: {name: value}. A missing value is undefined, which is false and shows as nothing.
    """
    source = resources.files(package).joinpath(name).read_text("utf-8")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({name: source}),
        autoescape=escape,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    text = environment.get_template(name).render(**values)
    # Python reads a file name that is not UTF-8 as lone surrogates, which no file can contain.
    return text.encode("utf-8", "replace").decode("utf-8")


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """An image, uint8 [H, W] or [H, W, 3], as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """An image file as an address that contains it; kind: "png" or "jpeg"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
