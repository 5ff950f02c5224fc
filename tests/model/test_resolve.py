"""Which model a name means, and the messages about models that cannot be used.

The Hub's own client downloads from a stand-in; the model has the starter's files.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.fetching import (
    ALL_DIGITS,
    FILES,
    NAME,
    ROOT,
    changed,
    predict,
    revision_of,
    sentence_of,
    with_network,
)
from support.hub_standin import GUEST, TOKEN, Repository

from cxr.model import download, resolve
from cxr.model.errors import HubAway, HubError, ModelFolderError
from cxr.model.resolve import STARTER, Model


@pytest.mark.parametrize("name", ["models/typo", f"models/starter@{ALL_DIGITS}", "tests/images"])
def test_name_below_a_folder_here_is_not_asked_of_the_hub(hub, tmp_path, name):
    """If OWNER is a local directory, the Hub is not queried."""
    hub.put("models/typo", FILES)
    said = sentence_of(predict(hub, tmp_path, name))
    folder = name.split("/")[0]
    assert f"no model folder '{name}'; the Hub was not asked for it, as '{folder}' is" in said
    assert hub.requests == []


@pytest.mark.parametrize("name", ["starter", "", "./starter", "model.onnx"])
def test_single_name_is_a_folder_or_nothing(name):
    """A name without an owner is never looked up on the Hub."""
    with pytest.raises(ModelFolderError, match="There is no model folder"):
        resolve.find(name)


def test_no_name_is_the_starter():
    """Without a name the embedded model is used, under the name of its folder."""
    assert resolve.find(None) == Model(STARTER, "starter", None, "")


@pytest.mark.parametrize("path", [".", "../starter", "../starter/", str(STARTER)])
def test_folder_has_a_name_however_it_is_given(path, monkeypatch):
    """The last part of its whole path."""
    monkeypatch.chdir(STARTER)
    found = resolve.find(path)
    assert (found.name, str(found)) == ("starter", "starter")
    assert found.folder == Path(path)


def test_without_a_name_and_a_starter_one_must_be_named(monkeypatch, tmp_path):
    """As on a Space, which has no model of its own."""
    monkeypatch.setattr(resolve, "STARTER", tmp_path / "none")
    with pytest.raises(ModelFolderError, match="by CXR_MODEL"):
        resolve.find(None)


def test_model_of_the_hub_is_named_with_its_commit(tmp_path):
    """Its page is that of the commit."""
    model = Model(tmp_path, "owner/name", ALL_DIGITS)
    assert str(model) == f"owner/name@{ALL_DIGITS}"
    assert model.address.endswith(f"/owner/name/tree/{ALL_DIGITS}")


def test_existing_folder_has_priority_over_the_hub(tmp_path, monkeypatch):
    """An existing folder whose path reads like OWNER/NAME is used."""
    (tmp_path / NAME).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve.find(NAME) == Model(Path(NAME), "images")


def test_folder_here_does_not_load_the_client():
    """The Hub's client, which takes half a second to load, is not imported for a model on disk."""
    script = "import sys; from cxr.model import resolve; "
    script += "resolve.find('models/starter'); print('huggingface_hub' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_errors_are_of_one_kind_for_each_cause(tmp_path, monkeypatch):
    """`find` raises ModelFolderError for a folder and HubError for a name on the Hub."""
    with pytest.raises(ModelFolderError):
        resolve.find("models/typo")
    with pytest.raises(HubError):
        resolve.find(f"{NAME}@main")


@pytest.mark.parametrize(
    ("name", "token", "words"),
    [
        ("owner/nothing", GUEST, "The Hub has no 'owner/nothing', or your token may not see it."),
        ("owner/nothing", None, "The Hub has no 'owner/nothing', or shows it only to some;"),
        ("owner/private", None, "if it is private, run `hf auth login`, or set HF_TOKEN"),
        ("owner/private", GUEST, "The Hub has no 'owner/private', or your token may not see it."),
        ("owner/gated", GUEST, "'owner/gated' asks you to accept its terms first"),
        (NAME, "hf_wrong", f"The Hub does not accept your token for '{NAME}'"),
        (f"{NAME}@{ALL_DIGITS}", None, f"'{NAME}' has no commit '{ALL_DIGITS}' on the Hub."),
        (f"{NAME}@1234567", None, "The revision '1234567' is not a full commit; pin"),
        (f"{NAME}@main", None, "The revision 'main' is not a full commit; pin"),
        (f"{NAME}@", None, "The revision '' is not a full commit; pin"),
        ("owner/na me", None, "'owner/na me' is not a name on the Hub; it should read OWNER/NAME."),
        ("a/b/c", None, "'a/b/c' is not a name on the Hub; it should read OWNER/NAME."),
        ("no..where/x", None, "'no..where/x' is not a name on the Hub"),
        ("owner/cards", None, "'owner/cards' is no model folder of this project: it has no model"),
        ("owner/empty", None, "'owner/empty' is no model folder of this project: it has no config"),
    ],
)
def test_model_that_cannot_be_downloaded_is_an_error(hub, tmp_path, name, token, words):
    """Each reason of the Hub, and each wrong name, has its own message; the status is 1."""
    hub.repositories["owner/private"] = Repository("model", private=True)
    hub.repositories["owner/gated"] = Repository("model", gated=True)
    hub.put("owner/private", FILES)
    hub.put("owner/gated", FILES)
    hub.put("owner/cards", {"README.md": b"#", "config.json": b"{}"})
    hub.put("owner/empty", {"README.md": b"#"})
    assert words in sentence_of(predict(hub, tmp_path, name, token))


def test_private_model_is_downloaded_with_a_token(hub, tmp_path):
    """With a token that may read it, a private model is downloaded."""
    hub.repositories["owner/private"] = Repository("model", private=True)
    commit = hub.put("owner/private", FILES)
    assert revision_of(predict(hub, tmp_path, "owner/private", TOKEN)) == commit


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (FILES | {"model.onnx": b"another network"}, "model.onnx in .* is not the file that"),
        (changed(format_version=2), "format version 2, and this program reads version 1"),
        (changed(labels=["A", "B"]), "are not the 15 of this program"),
        (FILES | {"config.json": b"{"}, "cannot be read"),
        (FILES | {"config.json": b"[" * 2**20}, "cannot be read"),
        (FILES | {"config.json": b" " * 2**25}, "cannot be read"),
        (with_network(b"no network"), "is not an ONNX file that can be run"),
        (
            FILES | {"input_check.npz": b"no zip"},
            "input_check.npz in .* is missing, damaged or not",
        ),
        (
            changed(input_check={"file": "../x", "sha256": "", "warn_above": 1, "reject_above": 2}),
            "its entry 'input_check.file' is wrong",
        ),
        (
            changed(
                input_check={
                    "file": "/etc/passwd",
                    "sha256": "",
                    "warn_above": 1,
                    "reject_above": 2,
                }
            ),
            "its entry 'input_check.file' is wrong",
        ),
        (
            {k: v for k, v in FILES.items() if k != "input_check.npz"},
            "input_check.npz in .* missing",
        ),
    ],
)
def test_model_that_does_not_fit_is_rejected(hub, tmp_path, files, words):
    """A repository whose files do not fit together is rejected with a message."""
    hub.put("owner/broken", files)
    assert re.search(words, sentence_of(predict(hub, tmp_path, "owner/broken")))


@pytest.mark.parametrize(("is_cached", "least", "most"), [(True, 1, 3), (False, 8, 20)])
def test_hub_gets_less_time_with_a_model_in_the_cache(
    is_cached, least, most, monkeypatch, tmp_path
):
    """A start is not held up where there is a model to fall back on; else a slow Hub may answer."""
    waited = []

    def is_away(name, patience):
        waited.append(patience)
        raise HubAway("slow")

    monkeypatch.setattr(download, "find_cached", lambda name: tmp_path if is_cached else None)
    monkeypatch.setattr(download, "download", is_away)
    if is_cached:
        assert resolve.find(NAME).folder == tmp_path
    else:
        with pytest.raises(HubAway):
            resolve.find(NAME)
    assert least <= waited[0] <= most
