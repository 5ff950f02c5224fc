"""Deploying that fails: each reason has one sentence, and nothing is left half done.

Each test runs the command and the Hub's own client against a stand-in.
"""

import pytest
from support.deploying import MODEL, NOBODY, SPACE, deploy, deployed, newest, rejected, tree
from support.hub_standin import GUEST, TOKEN
from support.published import published


@pytest.mark.parametrize(
    ("options", "token", "sentence"),
    [
        ((SPACE, "--model", MODEL), None, "You are not signed in to the Hub"),
        ((SPACE, "--model", MODEL), "hf_unknown", "does not accept your token"),
        ((SPACE, "--model", MODEL), GUEST, f"no right to write to '{SPACE}'"),
        (("other/space", "--model", MODEL), TOKEN, "no right to write to 'other/space'"),
        ((SPACE, "--model", "owner/nothing"), TOKEN, "The Hub has no 'owner/nothing'"),
        ((SPACE, "--model", f"{MODEL}@{'1' * 40}"), TOKEN, f"'{MODEL}' has no commit"),
    ],
    ids=["no token", "wrong token", "reader", "another's", "no model", "no commit"],
)
def test_rejection_by_the_hub_is_one_sentence(options, token, sentence, hub, tmp_path):
    """A rejection gives status 1 and one sentence, and no Space is created."""
    done = deploy(hub, tmp_path, *options, token=token)
    assert done.returncode == 1
    assert sentence in rejected(done)
    assert set(hub.repositories) == {MODEL}


def test_missing_network_is_one_sentence(hub, tmp_path):
    """If the Hub cannot be reached, the message says so."""
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, HF_ENDPOINT=NOBODY)
    assert done.returncode == 1
    assert "The Hub cannot be reached" in rejected(done)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("space", "--model", MODEL), "'space' is not a name on the Hub"),
        ((f"{SPACE}@{'0' * 40}", "--model", MODEL), "a Space has no revision"),
        ((SPACE, "--model", "models/starter/x"), "is not a name on the Hub"),
        ((SPACE, "--model", f"{MODEL}@0123abc"), "is not a full commit"),
        ((SPACE, "--model", MODEL, "--hardware", "cpu"), "'cpu' is none of cpu-basic,"),
        ((SPACE,), "--model"),
    ],
    ids=["Space", "Space's revision", "model", "revision", "hardware", "none"],
)
def test_wrong_names_are_wrong_usage(options, sentence, hub, tmp_path):
    """Wrong names give status 2, and the Hub is not contacted."""
    done = deploy(hub, tmp_path, *options)
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert hub.requests == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (published(format_version=2), "has format version 2"),
        (published(labels=["Hernia"]), "are not the 15 of this program"),
        ({"README.md": b"# A text model"}, "is no model folder of this project"),
        ({k: v for k, v in published().items() if k != "model.onnx"}, "has no model.onnx"),
        (
            {k: v for k, v in published().items() if k != "input_check.npz"},
            "has no input_check.npz",
        ),
    ],
    ids=["version", "labels", "no config", "no model", "no input check"],
)
def test_what_is_no_model_folder_is_not_deployed(files, sentence, hub, tmp_path):
    """A model that the page could not serve is rejected, and no Space is created."""
    hub.put("owner/odd", files)
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/odd")
    assert sentence in rejected(done)
    assert SPACE not in hub.repositories


def test_space_on_a_cpu_needs_a_plan_and_zero_gpu_none(hub, tmp_path):
    """Without a plan the Hub rejects a CPU; the message says what is needed."""
    hub.paid = False
    sentence = rejected(deploy(hub, tmp_path, SPACE, "--model", MODEL))
    assert "PRO or Team" in sentence
    assert "docs/hosting.md" in sentence
    assert SPACE not in hub.repositories
    deployed(hub, tmp_path, "--hardware", "zero-a10g")
    assert hub.repositories[SPACE].hardware == "zero-a10g"


def test_rejected_hardware_leaves_the_space_as_it_was(hub, tmp_path):
    """Hardware is requested first; if it is rejected, nothing has changed."""
    deployed(hub, tmp_path)
    before, variables = newest(hub, SPACE), dict(hub.repositories[SPACE].variables)
    hub.put("owner/other", published())
    hub.paid = False
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/other", "--hardware", "cpu-upgrade")
    assert "wants to be paid" in rejected(done)
    assert newest(hub, SPACE) == before
    assert hub.repositories[SPACE].variables == variables


def test_private_is_rejected_for_a_public_space(hub, tmp_path):
    """--private with an existing public Space is rejected before anything is sent."""
    deployed(hub, tmp_path)
    before = newest(hub, SPACE)
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, "--private")
    assert "is public already" in rejected(done)
    assert newest(hub, SPACE) == before


def test_header_that_the_hub_rejects_is_an_error(hub, tmp_path, monkeypatch):
    """If the Hub rejects the header, no file is sent."""
    hub.bad_card = "colorFrom must be a colour"
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL)
    assert "does not accept the header of README.md" in rejected(done)
    assert tree(hub) == {}


def test_dry_run_of_the_newest_commit_needs_the_hub(hub, tmp_path):
    """Without the Hub the newest commit is unknown, and the message says so."""
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, "--dry-run", HF_ENDPOINT=NOBODY)
    assert "The Hub cannot be reached" in rejected(done)
