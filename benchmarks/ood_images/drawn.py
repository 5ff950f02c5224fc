"""Drawn images that are not chest X-rays: plots, windows, text, noise and blank images.

Each function yields (name, image) pairs. It seeds its random numbers, so they are always the same.
"""

import io
from collections.abc import Callable, Iterator

import numpy as np
from matplotlib import font_manager, style
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Named = Iterator[tuple[str, Image.Image]]

_WORDS = (
    "the patient was seen in clinic and reports no change since last visit the image shows both "
    "invoice total amount due shipping address order number quantity price settings file edit "
    "view window help search results page next previous save open close yes no cancel"
)


def font(size: int, name: str = "DejaVu Sans") -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib, at a size in pixels."""
    return ImageFont.truetype(font_manager.findfont(name), size)


def sentence(random: np.random.Generator, words: int) -> str:
    """Random words."""
    return " ".join(random.choice(_WORDS.split(), words))


def plots() -> Named:
    """Charts of the usual kinds, light and dark."""
    for look in ("default", "dark_background"):
        for number, (name, draw) in enumerate(_CHARTS.items()):
            random = np.random.default_rng(number)
            with style.context(look):
                figure = Figure(figsize=(6.4, 4.8 if number % 2 else 6.4), dpi=100)
                draw(figure, random)
                file = io.BytesIO()
                figure.savefig(file, format="png")
            yield f"{name}, {look}", Image.open(file).convert("RGB")


def _lines(figure: Figure, random: np.random.Generator) -> None:
    axes = figure.subplots()
    axes.plot(random.standard_normal((200, 4)).cumsum(0), label=list("abcd"))
    axes.legend()
    axes.set(title="Walks", xlabel="step", ylabel="place")


def _bars(figure: Figure, random: np.random.Generator) -> None:
    figure.subplots().bar(list("abcdefgh"), random.uniform(1, 9, 8))


def _scatter(figure: Figure, random: np.random.Generator) -> None:
    figure.subplots().scatter(*random.standard_normal((2, 500)), c=random.uniform(0, 1, 500))


def _heat(figure: Figure, random: np.random.Generator) -> None:
    axes = figure.subplots()
    figure.colorbar(axes.imshow(random.uniform(0, 1, (12, 12)).cumsum(0), cmap="gray"))


def _pie(figure: Figure, random: np.random.Generator) -> None:
    figure.subplots().pie(random.uniform(1, 5, 6), labels=list("uvwxyz"))


def _histogram(figure: Figure, random: np.random.Generator) -> None:
    figure.subplots().hist(random.standard_normal(5000), 40, color="gray")


def _contours(figure: Figure, random: np.random.Generator) -> None:
    x, y = np.meshgrid(*[np.linspace(-3, 3, 80)] * 2)
    figure.subplots().contourf(x, y, np.sin(x * 2) + np.cos(y + x * y / 2), 20, cmap="gray")


def _panels(figure: Figure, random: np.random.Generator) -> None:
    for axes in figure.subplots(3, 3).flat:
        axes.plot(random.standard_normal(50), ".-")


_CHARTS: dict[str, Callable[[Figure, np.random.Generator], None]] = {
    "lines": _lines,
    "bars": _bars,
    "scatter": _scatter,
    "heat map": _heat,
    "pie": _pie,
    "histogram": _histogram,
    "contours": _contours,
    "panels": _panels,
}


def windows() -> Named:
    """Windows of programs with a title bar, a side bar, rows and buttons, light and dark."""
    for number in range(14):
        random = np.random.default_rng(100 + number)
        size = [(1280, 800), (800, 1280), (1024, 1024)][number % 3]
        ink, paper, panel = (20, 250, 225) if number % 2 else (225, 30, 55)
        image = Image.new("RGB", size, (paper,) * 3)
        draw = ImageDraw.Draw(image)
        width, height = size
        draw.rectangle((0, 0, width, 40), fill=(panel,) * 3)
        draw.text((12, 9), sentence(random, 5), fill=(ink,) * 3, font=font(18))
        side = int(random.integers(0, 300))
        draw.rectangle((0, 40, side, height), fill=(panel,) * 3)
        for top in range(60, height - 40, int(random.integers(24, 70))):
            draw.text((side + 20, top), sentence(random, 8), fill=(ink,) * 3, font=font(16))
            if side > 100:
                draw.text((12, top), sentence(random, 2), fill=(ink,) * 3, font=font(14))
        for _ in range(int(random.integers(1, 6))):
            left, top = (int(v) for v in random.uniform(0.2, 0.8, 2) * size)
            colour = tuple(int(v) for v in random.integers(0, 255, 3))
            draw.rounded_rectangle((left, top, left + 160, top + 48), 8, fill=colour)
            draw.text((left + 20, top + 12), sentence(random, 1), fill="white", font=font(18))
        yield f"window {number}", image


def text() -> Named:
    """Pages of text in small and large letters, dark on light and light on dark."""
    faces = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")
    for number in range(14):
        random = np.random.default_rng(200 + number)
        paper, ink = (255, 0) if number % 3 else (0, 255)
        image = Image.new("L", [(850, 1100), (1100, 850)][number % 2], paper)
        draw = ImageDraw.Draw(image)
        size = int(random.choice([12, 16, 24, 40, 90, 220]))
        face = font(size, faces[number % 3])
        for top in range(size, image.height - size, int(size * 1.4)):
            words = sentence(random, 2 + image.width // (3 * size))
            draw.text((size, top), words, fill=ink, font=face)
        yield f"page {number}, {size} px", image


def noise() -> Named:
    """White, coarse, coloured, speckled and fractal noise."""
    for number, side in enumerate((256, 512, 1024)):
        random = np.random.default_rng(300 + number)
        shape = (side, side)
        yield f"uniform {side}", _grey(random.uniform(0, 1, shape))
        yield f"Gaussian {side}", _grey(random.normal(0.5, 0.15, shape))
        yield f"salt and pepper {side}", _grey(random.integers(0, 2, shape))
        coarse = _grey(random.uniform(0, 1, (side // 32, side // 32)))
        yield f"coarse {side}", coarse.resize(shape, Image.Resampling.BICUBIC)
        colours = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
        yield f"in colour {side}", Image.fromarray(colours)
        for power in (1.0, 1.5, 2.0):
            yield f"1/f^{power} {side}", fractal(random, side, power)


def fractal(random: np.random.Generator, side: int, power: float) -> Image.Image:
    """Clouds: noise whose amplitude is proportional to frequency^-power."""
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    frequency = np.maximum(np.hypot(x, y), 1 / side)
    waves = np.fft.rfft2(random.standard_normal((side, side))) / frequency**power
    values = np.fft.irfft2(waves, (side, side))
    return _grey(0.5 + values / values.std() / 5)


def blank() -> Named:
    """A single grey, and nearly blank images: ramps, a spot, a line, a frame, faint noise."""
    side = 512
    for level in (0, 1, 60, 128, 200, 255):
        yield f"grey {level}", Image.new("L", (side, side), level)
    yield "red", Image.new("RGB", (side, side), (200, 30, 30))
    ramp = np.linspace(0, 1, side)
    yield "ramp across", _grey(np.tile(ramp, (side, 1)))
    yield "ramp down", _grey(np.tile(ramp[:, None], (1, side)))
    radius = np.hypot(*np.meshgrid(*[np.linspace(-1, 1, side)] * 2))
    yield "vignette", _grey(1 - radius / 1.5)
    yield "spot", _grey(radius < 0.05)
    yield "soft spot", _grey(np.exp(-(radius**2) * 6))
    yield "disc", _grey(radius < 0.7)
    frame = Image.new("L", (side, side), 255)
    ImageDraw.Draw(frame).rectangle((40, 40, side - 40, side - 40), fill=0)
    yield "frame", frame
    faint = np.random.default_rng(400).normal(0.5, 0.01, (side, side))
    yield "faint noise", _grey(faint)
    yield (
        "faint clouds",
        _grey(0.1 + 0.02 * np.asarray(frame.filter(ImageFilter.BoxBlur(60))) / 255),
    )
    line = Image.new("L", (side, side), 20)
    ImageDraw.Draw(line).line((0, 100, side, 400), fill=240, width=3)
    yield "line", line
    yield "checks", _grey(np.indices((side, side)).sum(0) // 64 % 2)


def _grey(values: np.ndarray) -> Image.Image:
    """Values 0..1 -> an 8-bit image; values outside are clipped."""
    return Image.fromarray((np.clip(values, 0, 1) * 255).round().astype(np.uint8))
