"""README, CONTRIBUTING and docs/: generated blocks, links, commands, and rules for the README."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support import ROOT, documents
from support.pins import pins

from cxr.cli import main

BUILD = documents.build()
LINES = [
    pytest.param(line, id=f"{page.name}: {line[:60]}")
    for page in documents.PAGES
    if page.name not in ("api.md", "hosting.md")  # their tests run all blocks
    for line in documents.commands(page)
    if not re.match(r"(hf|mkdir|for|mv) ", line)  # run by tests/training/test_training_docs.py
]
# Languages of code blocks that some test runs or compares.
TESTED = {"bash", "sh", "python", "js", "html", "json", "csv", "text"}


@pytest.mark.parametrize("page", BUILD.BLOCKS, ids=lambda page: page.name)
def test_generated_blocks_are_up_to_date(page):
    """What is between the marks of a document is what docs/build.py generates."""
    assert BUILD.render(page) == documents.text(page)


def test_building_writes_the_pages_and_the_card(monkeypatch, tmp_path):
    """What lies between the marks is replaced, all else stays; the card lies beside the model."""
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\n<!-- /two -->\nc\n")
    shutil.copytree(BUILD.STARTER, tmp_path / "starter")
    (tmp_path / "starter" / "README.md").write_text("old")
    blocks = {"one": lambda: "new\nlines", "two": lambda: "2"}
    monkeypatch.setattr(BUILD, "BLOCKS", {page: blocks})
    monkeypatch.setattr(BUILD, "STARTER", tmp_path / "starter")
    BUILD.main()
    assert page.read_text() == (
        "a\n<!-- one -->\nnew\nlines\n<!-- /one -->\nb\n<!-- two -->\n2\n<!-- /two -->\nc\n"
    )
    card = documents.text(ROOT / "models" / "starter" / "README.md")
    assert (tmp_path / "starter" / "README.md").read_text() == card


@pytest.mark.parametrize(
    "text", ["", "<!-- one -->\n", "<!-- /one -->\n", "<!-- one -->\n" * 2 + "<!-- /one -->\n"]
)
def test_page_without_its_block_is_an_error(monkeypatch, tmp_path, text):
    """A block that is missing, cut off or there twice is not passed over."""
    page = tmp_path / "page.md"
    page.write_text(text)
    monkeypatch.setattr(BUILD, "BLOCKS", {page: {"one": lambda: "new"}})
    with pytest.raises(ValueError, match=r"page.md must have the block 'one' exactly once"):
        BUILD.render(page)


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_every_mark_belongs_to_a_generated_block(page):
    """No document has a mark that docs/build.py does not know."""
    marks = re.findall(r"<!-- (\w+) -->", documents.text(page))
    assert marks == list(BUILD.BLOCKS.get(page, {}))


def test_starter_card_is_generated_from_its_metrics():
    """The starter's card is generated from its config, its metrics and the OOD measurement."""
    card = documents.text(ROOT / "models" / "starter" / "README.md")
    assert card == BUILD.starter_card()
    assert "enriched" in card


@pytest.mark.parametrize("line", LINES)
def test_command_is_understood(line):
    """Each command line of a document is one that its program accepts."""
    documents.assert_understood(shlex.split(line, comments=True))


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_code_blocks_have_a_language_that_is_tested(page):
    """A block in another language would not be run or compared by any test."""
    assert set(re.findall(r"^```(.+)$", documents.text(page), re.M)) <= TESTED


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Links to files, to sections of other pages and to sections of the page itself."""
    for target in re.findall(r"\]\(([^)\s]+)\)", documents.text(page)):
        if target.startswith(("http", "../../actions")):  # the second is an address on GitHub
            continue
        path, _, section = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not section or section in _sections(linked), target


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_no_word_claims_health(page):
    """Documents never call an image by these words, except to forbid them."""
    words = re.findall(r"\b(?:normal|healthy|diagnos\w+)\b", documents.text(page), re.I)
    assert words == (["normal", "healthy", "diagnosis"] if page.name == "CONTRIBUTING.md" else [])


def test_readme_is_short():
    """At most 120 lines after the header of the Space."""
    assert len(_readme_body().strip().splitlines()) <= 120


def test_readme_says_chest_xray_first():
    """The title and the first sentence have the words that people search for."""
    paragraphs = [part for part in _readme_body().split("\n\n") if part.strip()]
    title, _badges, first = paragraphs[:3]
    assert title.strip().startswith("# Chest X-ray")
    assert "Chest X-ray" in first.partition(". ")[0]


def test_readme_has_badges_and_the_warning():
    """Licence, Python versions, tests; and not for clinical use."""
    body = _readme_body()
    assert re.findall(r"^\[!\[(Licence|Python|Tests)", body, re.M) == ["Licence", "Python", "Tests"]
    assert "**Not for clinical use.**" in body


def test_readme_links_every_page():
    """Each page of docs/ is linked from README, or from a page that README links."""
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", _readme_body()))
    further = {
        name
        for page in linked
        for name in re.findall(r"\]\(([\w-]+\.md)", documents.text(documents.DOCS / page))
    }
    assert {page.name for page in documents.DOCS.glob("*.md")} <= linked | further


def test_space_header_names_the_pinned_gradio():
    """sdk_version in the header of README is the Gradio of requirements.txt."""
    header = documents.text(documents.README)
    assert re.findall(r"^sdk_version: (.+)$", header, re.M) == [pins("requirements.txt")["gradio"]]


@pytest.mark.parametrize(("page", "command"), [("predict.md", "predict")])
def test_options_on_the_page_are_those_of_the_command(page, command):
    """The table of options has every option of the command, and no other."""
    (parser,) = [
        action.choices[command]
        for action in main.make_parser()._subparsers._group_actions  # argparse has no public way
    ]
    expected = {option for option in parser._option_string_actions if option.startswith("--")}
    assert _options(documents.DOCS / page) == expected - {"--help"}


def test_options_on_the_training_page_are_those_of_train_py():
    """The table of options has every option of train.py, and no other."""
    import train

    expected = {name for name in train._parser()._option_string_actions if name.startswith("--")}
    assert _options(documents.DOCS / "training.md") == expected - {"--help"}


def _readme_body() -> str:
    return documents.text(documents.README).split("---\n", 2)[2]


def _sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", documents.text(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _options(page: Path) -> set[str]:
    """The options in the first column of a page's tables."""
    cells = re.findall(r"^\| (`--.+?) \| ", documents.text(page), re.M)
    return set(re.findall(r"--[\w-]+", " ".join(cells)))


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_paths_in_documents_exist(page):
    """Each file and folder of the project that a document names is there."""
    paths = re.findall(
        r"`((?:cxr|tests|docs|models)/[\w./-]*|cxr_labels\.py)`", documents.text(page)
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert len(paths) > 30 or page.name != "CONTRIBUTING.md"
