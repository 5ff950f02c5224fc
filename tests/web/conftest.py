"""Fixtures of the tests of the page: an app, a browser, and a Hub with a model."""

from collections.abc import Iterator

import pytest
from support import STARTER, hub_standin
from support.browser import chromium
from support.deploying import MODEL
from support.hub_standin import Hub
from support.page import Opened, answer
from support.published import published
from support.served import app

from cxr.inference.predictor import Predictor


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of the app with the starter model."""
    with app() as found:
        yield found


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The starter model."""
    return Predictor(STARTER)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium. It ends with each module, because its event loop disturbs asyncio."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser, address):
    opened = Opened(browser, address)
    yield opened.page
    opened.close()


@pytest.fixture(scope="module")
def looked_at(browser, address):
    """A page with an answer, which tests of the viewer share."""
    opened = Opened(browser, address)
    answer(opened.page)
    yield opened.page
    opened.close()


@pytest.fixture
def viewer(looked_at):
    """That page as it was when the image had just been answered."""
    looked_at.locator("#choice").get_by_text("The image alone").click()
    looked_at.locator('[data-part="opacity"]').fill("55")
    looked_at.locator('[data-part="draw-boxes"]').check()
    looked_at.get_by_role("button", name="Reset").click()
    return looked_at


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub with a model on it."""
    with hub_standin.running() as running:
        running.put(MODEL, published())
        yield running
