"""Makes page-light.jpg and page-dark.jpg, the images of the page in README.

    python docs/screenshots.py

They show an example image of this repository. Needs Chromium, a font with Chinese characters, and
requirements-dev.txt.
"""

import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.browser import chromium  # noqa: E402
from support.served import app  # noqa: E402

from cxr import atomic  # noqa: E402

IMAGE = ROOT / "examples" / "chest_rg1.png"
FINDING = "Nodule"
SIZE = {"width": 1200, "height": 906}


def screenshot(browser, address: str, scheme: str) -> bytes:
    """Returns a JPEG of the page with the findings and the heatmap for one of them.

    Args:
        browser: Playwright's browser.
        address: The address of the running page.
        scheme: "light" or "dark".
    """
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    page.goto(f"{address}/?lang=en")
    page.set_input_files("#image input[type=file]", IMAGE)
    page.locator(f'#label [data-finding="{FINDING}"]').click()
    page.wait_for_selector("rect.over")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until Gradio's transitions have ended
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    content = io.BytesIO()
    shot.save(content, "JPEG", quality=85, subsampling=0, optimize=True)
    return content.getvalue()


def main() -> None:
    """Writes both images, each in one step."""
    with app() as address, chromium() as browser:
        for scheme in ("light", "dark"):
            content = screenshot(browser, address, scheme)
            with atomic.replacing(ROOT / "docs" / f"page-{scheme}.jpg") as part:
                part.write_bytes(content)


if __name__ == "__main__":
    main()
