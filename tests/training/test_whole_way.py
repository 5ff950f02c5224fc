"""From images to an answer over the web: train, push, pull by revision, serve, predict.

Every step is the command that a user types, with the real clients; only the Hub is a stand-in.
"""

import json
import os
import re
import subprocess
import sys

import pytest
from gradio_client import Client, handle_file
from support import ROOT, hub_standin
from support.served import app

NAME = "owner/chest-xrays"


def test_trained_pushed_pulled_served_and_asked(run, tmp_path):
    """What is pushed is what answers: over the API and from the command line, at the commit that
    the training printed, with the probabilities that the local folder gives."""
    image = sorted((run.data / "images").iterdir())[0]
    with hub_standin.running() as hub:
        printed = command(
            hub.environment(tmp_path / "trains"),
            *("train.py", "--data", run.data, "--output", run.folder, "--resume"),
            *("--push-to-hub", NAME),
        )
        [pinned] = re.findall(rf"{NAME}@[0-9a-f]{{40}}", printed)
        predict = ("-m", "cxr", "predict")
        here = json.loads(command({}, *predict, run.folder, image, "--json"))
        elsewhere = hub.environment(tmp_path / "serves", token=None)
        pulled = json.loads(command(elsewhere, *predict, pinned, image, "--json"))
        with app("--model", pinned, **elsewhere) as address:
            client = Client(address, verbose=False)
            analyzed = client.predict(handle_file(image), api_name="/analyze")
            label = client.predict(handle_file(image), api_name="/predict")
    assert f"{pulled['model']}@{pulled['revision']}" == pinned
    assert f"{analyzed['model']}@{analyzed['revision']}" == pinned
    assert here["probabilities"] is not None
    for answer in (pulled, analyzed):
        assert answer["probabilities"] == pytest.approx(here["probabilities"], abs=1e-6)
    told = {one["label"]: one["confidence"] for one in label["confidences"]}
    assert told == pytest.approx(here["probabilities"], abs=1e-5)


def command(variables: dict[str, str], *arguments: object) -> str:
    """What a command of the project prints; it has to succeed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
