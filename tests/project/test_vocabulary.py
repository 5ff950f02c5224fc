"""The page's words in both languages, with what other parts of the program say; and its colours."""

import ast
import re
from pathlib import Path

import pytest
from support import ROOT

import cxr_labels
from cxr.inference import input_check
from cxr.web.page import finding_words, style, texts
from cxr.web.page.text import Text
from cxr.web.page.translation import translated
from cxr_labels import LABELS

SERVING = sorted(
    path
    for package in ("inference", "model", "web")
    for path in (ROOT / "cxr" / package).rglob("*.py")
)
# Whose sentences reach the page.
SPEAKING = [
    *sorted(
        path
        for path in (ROOT / "cxr").rglob("*.py")
        if path.relative_to(ROOT / "cxr").parts[0] == "imaging" or path.name == "prevalence.py"
    ),
    ROOT / "cxr" / "inference" / "input_check.py",
]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def sentences(path: Path) -> list[str]:
    """What a module says: its texts that read as sentences, with 7 for each value in them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    apart = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            apart |= {id(part) for part in node.values}
        elif isinstance(node, ast.Expr):  # docstrings
            apart.add(id(node.value))
    found = [
        node.value
        if isinstance(node, ast.Constant)
        else "".join(
            str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in apart
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, str)
    ]
    return [text for text in found if re.fullmatch(r"[A-Z].* .*[.]", text, re.DOTALL)]


@pytest.mark.parametrize("key", texts.TEXTS)
def test_every_text_stands_in_both_languages(key):
    """English without Chinese, Chinese with it, and the same places for values in both."""
    text = texts.TEXTS[key]
    assert text.en.strip()
    assert not CHINESE.search(text.en)
    assert CHINESE.search(text.zh) or "{" in text.zh
    places = [sorted(re.findall(r"{\w*}", words)) for words in (text.en, text.zh)]
    assert places[0] == places[1]


def test_every_key_that_the_code_names_is_a_text():
    """A marker, or words, of a key that does not exist would show its bare key."""
    named = {
        (path.name, node.args[0].value)
        for path in SERVING
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", None))
        in ("marker", "words")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(named) > 40
    assert {(file, key) for file, key in named if key not in texts.TEXTS} == set()


@pytest.mark.parametrize("label", LABELS)
def test_findings_are_named_and_told_in_both_languages(label):
    """English as everywhere else, Chinese of its own; no two findings share a name."""
    name, sentence = texts.finding(label), texts.sentence(label)
    assert name.en == cxr_labels.DISPLAY[label]
    assert sentence.en == cxr_labels.TABLE[cxr_labels.index(label)].sentence
    assert CHINESE.search(name.zh)
    assert sentence.zh.endswith("。")
    assert [finding_words.finding(other).zh for other in LABELS].count(name.zh) == 1


@pytest.mark.parametrize(
    ("path", "sentence"),
    [(path.name, sentence) for path in SPEAKING for sentence in sentences(path)],
)
def test_every_sentence_of_the_program_is_known_in_chinese(path, sentence):
    """What reading, input check and prevalence say reaches a Chinese page in Chinese."""
    spoken = translated(sentence)
    assert spoken.en == sentence
    assert CHINESE.search(spoken.zh)
    assert spoken.zh.count("7") == sentence.count("7")


def test_sentences_are_collected():
    """The collection above sees plain sentences and those with values in them."""
    found = [sentence for path in SPEAKING for sentence in sentences(path)]
    assert len(found) > 20
    assert "This image has 7x7 pixels; an image needs at least 7 a side." in found


def test_values_keep_their_places_in_chinese():
    """Figures of an English sentence stand in the Chinese one."""
    chinese = translated("This image has 50x60 pixels; an image needs at least 64 a side.").zh
    assert re.findall(r"\d+", chinese) == ["50", "60", "64"]


def test_sentence_that_is_not_known_stays_english():
    """Better English than nothing."""
    assert translated("Something new went wrong.") == Text(*["Something new went wrong."] * 2)


def test_sides_are_the_same_in_both_languages():
    """Where Chinese says left or right, so does English: a swapped side misleads."""
    spoken = [*texts.TEXTS.values(), *map(translated, input_check.TURNED.values())]
    sides = {"左": "left", "右": "right"}
    sided = [text for text in spoken if re.search("[左右]", text.zh)]
    assert len(sided) >= 8  # six parts of an image, and a turn to each side
    assert [t for t in sided if {sides[s] for s in re.findall("[左右]", t.zh)} != named(t.en)] == []


def named(english: str) -> set[str]:
    """The sides that a text names."""
    return set(re.findall(r"\b(left|right)\b", english))


def test_no_word_claims_health():
    """ "No finding" is not the absence of disease, in either language."""
    spoken = [*texts.TEXTS.values()]
    for label in LABELS:
        spoken += [texts.finding(label), texts.sentence(label)]
    together = " ".join(f"{text.en} {text.zh}" for text in spoken).lower()
    for word in ("normal", "healthy", "diagnos", "正常", "健康", "诊断"):
        assert word not in together


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=//evil.example>", "&lt;img src=//evil.example&gt;"),
        ("one\n\ntwo", "one two"),
        (
            "(https://doi.org/10.7937/K9)",
            '(<a href="https://doi.org/10.7937/K9" rel="noopener nofollow">'
            "https://doi.org/10.7937/K9</a>)",
        ),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('https://x.example/"onclick=1', '<a href="https://x.example/" rel="noopener nofollow">'),
    ],
)
def test_texts_of_a_model_folder_stay_text_in_html(text, shown):
    """HTML of somebody's model is shown letter by letter; only plain addresses become links."""
    assert texts.linked(text).startswith(shown)
    assert '"onclick' not in texts.linked(text)


@pytest.mark.parametrize("theme", style.COLOURS)
@pytest.mark.parametrize(
    ("pair", "least"),
    [(pair, 4.5) for pair in style.TEXT_ON] + [(pair, 3.0) for pair in style.MARK_ON],
)
def test_colours_have_contrast(theme, pair, least):
    """WCAG 2.2 AA in light and dark: 4.5 for text, 3 for marks that carry meaning."""
    front, back = (_luminance(style.COLOURS[theme][name]) for name in pair)
    high, low = max(front, back), min(front, back)
    assert (high + 0.05) / (low + 0.05) >= least


def test_both_themes_have_the_same_colours():
    """A colour that one theme lacks would be that of the other."""
    assert style.COLOURS["light"].keys() == style.COLOURS["dark"].keys()


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
