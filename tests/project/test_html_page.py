"""Documents from templates, and images inside HTML."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cxr import html_page


@pytest.fixture
def package(tmp_path, monkeypatch) -> str:
    """A package that contains a template."""
    folder = tmp_path / "templates_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "page.jinja").write_text(
        "{% if title %}\n  {# a note #}\n<b>{{ title | loud }}</b>µ\n  {% endif %}\n{{ a.b.c }}|\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"title": "a<b"}, "<b>A&lt;B</b>µ\n|"),
        ({"title": "a<b", "escape": False}, "<b>A<B</b>µ\n|"),
        ({"title": "x", "a": {"b": {"c": 5}}}, "<b>X</b>µ\n5|"),
        ({"title": "x\udcff"}, "<b>X?</b>µ\n|"),
        ({}, "|"),
    ],
    ids=["escaped", "not escaped", "nested", "lone surrogate", "missing"],
)
def test_fill(package, options, expected):
    """Values are escaped, tags leave no lines, and missing values show nothing."""
    assert html_page.fill(package, "page.jinja", {"loud": str.upper}, **options) == expected


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_jpeg(shape):
    """The file is a JPEG of the same size; a higher quality takes more bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    files = [html_page.jpeg(pixels, quality) for quality in (20, 95)]
    assert len(files[0]) < len(files[1])
    image = Image.open(io.BytesIO(files[1]))
    assert (image.format, image.size) == ("JPEG", (60, 40))
    assert image.mode == ("L" if len(shape) == 2 else "RGB")


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_data_uri(kind):
    """The address has the kind of the image and its bytes."""
    start, content = html_page.data_uri(b"\xff\0image", kind).split(",")
    assert start == f"data:image/{kind};base64"
    assert base64.b64decode(content, validate=True) == b"\xff\0image"
