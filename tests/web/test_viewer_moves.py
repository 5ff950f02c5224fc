"""The viewer's tools: how far each moves, zooms and colours the image, and what they show."""

import numpy as np
import pytest
from support.page import choose, pixels


def at(page) -> list[float]:
    """Scale of the image, and where its upper left corner lies in the viewport."""
    return page.evaluate(
        """() => {
            const stage = getComputedStyle(document.querySelector(".stage"));
            const found = new DOMMatrix(stage.transform);
            return [found.a, found.e, found.f];
        }"""
    )


def near(*wanted: float):
    return pytest.approx(list(wanted), abs=0.5)


@pytest.fixture
def frame(viewer) -> dict[str, float]:
    """The viewport on the screen."""
    viewer.locator(".viewport").scroll_into_view_if_needed()
    return viewer.locator(".viewport").bounding_box()


def test_keys_zoom_at_the_middle_and_move_the_view(viewer, frame):
    """An arrow moves the view 40 px its way; with Ctrl it is left to the browser."""
    viewer.locator(".viewport").focus()
    width, height = viewer.evaluate(
        "(({ clientWidth, clientHeight }) => [clientWidth, clientHeight])"
        "(document.querySelector('.viewport'))"
    )
    viewer.keyboard.press("ArrowRight")
    assert at(viewer) == near(1, 0, 0)
    for _ in range(2):
        viewer.keyboard.press("=")
    middle = [-0.625 * width, -0.625 * height]
    assert at(viewer) == near(2.25, *middle)
    for key, right, down in (
        ("ArrowRight", -40, 0),
        ("ArrowDown", -40, -40),
        ("Control+ArrowDown", -40, -40),
        ("ArrowLeft", 0, -40),
        ("ArrowUp", 0, 0),
    ):
        viewer.keyboard.press(key)
        assert at(viewer) == near(2.25, middle[0] + right, middle[1] + down)
    viewer.keyboard.press("-")
    assert at(viewer)[0] == pytest.approx(1.5)
    viewer.keyboard.press("I")
    assert viewer.locator('[data-part="invert"]').get_attribute("aria-pressed") == "true"


def test_image_is_moved_to_its_far_corner_and_no_further(viewer, frame):
    """Each axis ends at the border on its side, also where the image is not square."""
    viewer.locator(".viewport").focus()
    width, height = viewer.evaluate(
        "(({ clientWidth, clientHeight }) => [clientWidth, clientHeight])"
        "(document.querySelector('.viewport'))"
    )
    assert height > width + 5
    viewer.keyboard.press("=")
    for key in ("ArrowRight", "ArrowDown"):
        for _ in range(20):
            viewer.keyboard.press(key)
    assert at(viewer) == near(1.5, -0.5 * width, -0.5 * height)


def test_buttons_that_can_do_nothing_are_off(viewer):
    """Zooming out of the whole image, and in beyond eight times."""
    tools = {
        name: viewer.locator(f'[data-part="{name}"]') for name in ("zoom_in", "zoom_out", "whole")
    }

    def off() -> set[str]:
        return {name for name, tool in tools.items() if tool.is_disabled()}

    assert off() == {"zoom_out", "whole"}
    tools["zoom_in"].click()
    assert off() == set()
    assert viewer.locator(".viewport.zoomed").count() == 1
    tools["zoom_out"].click()
    assert at(viewer) == near(1, 0, 0)
    for _ in range(6):
        tools["zoom_in"].click()
    assert at(viewer)[0] == 8
    assert off() == {"zoom_in"}
    tools["whole"].click()
    assert viewer.locator(".viewport.zoomed").count() == 0


def test_wheel_zooms_at_the_pointer_and_dragging_follows_it(viewer, frame):
    """The point under the pointer stays there; up zooms in, down zooms out."""
    right, down = frame["width"] / 4, frame["height"] / 3
    viewer.mouse.move(frame["x"] + right, frame["y"] + down)
    viewer.keyboard.down("Control")
    viewer.mouse.wheel(0, -200)
    viewer.wait_for_function("document.querySelector('.viewport.zoomed')")
    scale = np.e
    corner = [right * (1 - scale), down * (1 - scale)]
    assert at(viewer) == pytest.approx([scale, *corner], abs=3)
    viewer.keyboard.up("Control")
    viewer.mouse.down()
    viewer.mouse.move(frame["x"] + right - 50, frame["y"] + down - 20, steps=3)
    viewer.mouse.up()
    viewer.mouse.move(frame["x"] + right, frame["y"] + down, steps=2)
    assert at(viewer) == pytest.approx([scale, corner[0] - 50, corner[1] - 20], abs=3)
    viewer.keyboard.down("Control")
    viewer.mouse.wheel(0, 100)
    viewer.wait_for_function(
        "new DOMMatrix(getComputedStyle(document.querySelector('.stage')).transform).a < 2"
    )
    viewer.keyboard.up("Control")
    assert at(viewer)[0] == pytest.approx(np.exp(0.5), abs=0.02)


def test_two_fingers_zoom_between_them(viewer, frame):
    """Fingers that end twice as far apart show the image twice as large, around their middle."""
    touch = viewer.context.new_cdp_session(viewer)
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": x + shift, "y": y, "id": number} for number, shift in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -50, 50)
    for far in (60, 80, 100):
        fingers("touchMove", -far, far)
    fingers("touchEnd")
    touch.detach()
    viewer.wait_for_function("document.querySelector('.viewport.zoomed')")
    assert at(viewer) == pytest.approx(
        [2, -frame["width"] / 2, -frame["height"] / 2], rel=0.03, abs=5
    )


def test_sliders_show_their_values_and_reset_takes_all_back(viewer):
    """Level, width, shades and zoom; the opacity of the heatmap is no part of that."""
    before = pixels(viewer, "image")
    starts = {"opacity": "55", "level": "128", "width": "255"}
    for name, start in starts.items():
        slider = viewer.locator(f'[data-part="{name}"]')
        assert slider.evaluate("input => input.defaultValue") == start
        assert viewer.locator(f'[data-part="{name}-value"]').inner_text().split()[0] == start
    for name, value in (("level", "90"), ("width", "60"), ("opacity", "80")):
        viewer.locator(f'[data-part="{name}"]').fill(value)
    viewer.get_by_role("button", name="Swap black and white").click()
    viewer.get_by_role("button", name="Zoom in").click()
    spread = ((before.astype(float) - 60) * 255 / 60).clip(0, 255)
    assert np.abs(pixels(viewer, "image") - (255 - spread)).max() <= 1
    for name, value in (("level", "90"), ("width", "60"), ("opacity", "80 %")):
        assert viewer.locator(f'[data-part="{name}-value"]').inner_text() == value
    viewer.get_by_role("button", name="Reset").click()
    assert np.array_equal(pixels(viewer, "image"), before)
    assert at(viewer) == [1, 0, 0]
    assert viewer.locator('[data-part="invert"]').get_attribute("aria-pressed") == "false"
    assert viewer.locator('[data-part="opacity"]').input_value() == "80"


def test_heatmap_is_orange_and_its_legend_stands_with_it(viewer):
    """As in the file of /explain; the image alone has no legend."""
    assert not viewer.locator('[data-part="about"]').is_visible()
    choose(viewer, "Mass")
    viewer.locator('[data-part="opacity"]').fill("100")
    peak = pixels(viewer, "heatmap")
    row, column = np.unravel_index(peak.argmax(), peak.shape)
    colour = viewer.evaluate(
        """([x, y]) => [...document.querySelector('canvas[data-part="heatmap"]')
            .getContext("2d").getImageData(x, y, 1, 1).data]""",
        [int(column), int(row)],
    )
    assert colour == pytest.approx([255, 140, 0, 255], abs=3)
    assert viewer.locator('[data-part="about"]').is_visible()
    assert viewer.locator("svg rect").count() == 2  # a light frame on a dark one
