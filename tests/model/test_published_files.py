"""Which files are published: all that a model folder may hold but those that show images."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from support import ROOT, hub_standin

from cxr.model import model_folder

STARTER = ROOT / "models" / "starter"
KEPT = {model_folder.REPORT, model_folder.BATCH}  # of the run's folder alone: they show images


def every_file() -> set[str]:
    """Paths of a folder with each file that `cxr.model.model_folder` names, figures and examples."""
    constants = {k: v for k, v in vars(model_folder).items() if k.isupper()}
    named = {v for v in constants.values() if re.fullmatch(r"\w+\.[a-z]+", str(v))}
    figures = {f"figures/{name}" for name in ("roc.png", "subgroups.png")}
    examples = {f"examples/{name}" for name in ("examples.csv", "one.png", "other.png")}
    return (named - KEPT) | {model_folder.INPUT_CHECK} | figures | examples


def make_folder(folder: Path) -> dict[str, bytes]:
    """Writes a model folder that holds everything; what each of its files holds."""
    for name in every_file():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    config = json.loads((STARTER / "config.json").read_text())
    config["sha256"] = model_folder.sha256(folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    images = folder / "examples"
    for name in ("one.png", "other.png"):
        Image.fromarray(np.full((64, 64), len(name), np.uint8)).save(images / name)
    (images / "examples.csv").write_text("file,labels,source\none.png,Mass,\nother.png,,\n")
    return {name: (folder / name).read_bytes() for name in every_file()}


def test_every_kind_of_file_is_published(tmp_path):
    """What arrives at the Hub is each file of a folder that holds all there can be."""
    folder = tmp_path / "model"
    files = make_folder(folder)
    assert {"model.pkl", "pyproject.toml", "predictions.csv", "history.csv"} <= files.keys()
    with hub_standin.running() as hub:
        done = subprocess.run(
            [sys.executable, "-m", "cxr", "publish", str(folder), "owner/name"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, **hub.environment(tmp_path / "home")},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        arrived = hub.repositories["owner/name"].commits[-1].files
    assert sorted(arrived) == sorted(files)
    assert {path: file.content for path, file in arrived.items()} == files
