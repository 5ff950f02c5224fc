"""The network runs on all cores for one image, and on one core for each of several."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import ROOT

from cxr import imaging
from cxr.inference.sessions import Network
from cxr.model import model_folder

CORES = 3


@pytest.fixture(scope="module")
def network() -> Network:
    starter = ROOT / "models" / "starter"
    return Network(starter / model_folder.ONNX, model_folder.load(starter).image_size, CORES)


@pytest.fixture(scope="module")
def images(network) -> np.ndarray:
    """The example images as the network takes them: float32 [N, 1, S, S]."""
    size = model_folder.load(ROOT / "models" / "starter").image_size
    paths = sorted((ROOT / "examples").glob("*.png"))
    return np.stack([imaging.resize(imaging.read_image(path), size) for path in paths])[:, None]


def test_parallel_runs_give_the_same_outputs(network, images):
    """The outputs for an image are the same bit by bit, whatever else runs."""

    def run(image: np.ndarray):
        with network.slot():
            return network.run(image[None])

    alone = [run(image) for image in images]
    with ThreadPoolExecutor(CORES) as pool:
        at_once = list(pool.map(run, images))
    for one, other in zip(alone, at_once, strict=True):
        assert np.array_equal(one.logits, other.logits)
        assert np.array_equal(one.heatmaps, other.heatmaps)
        assert np.array_equal(one.embedding, other.embedding)


def test_batch_gives_the_same_outputs(network, images):
    """The outputs for an image do not depend on the other images of its batch."""
    together = network.run(images)
    alone = [network.run(image[None]).logits[0] for image in images]
    assert np.allclose(together.logits, alone, atol=1e-5)


def test_there_is_one_slot_per_core(network):
    """An image waits until a slot is free."""
    inside, most, leave = 0, 0, threading.Event()
    counting = threading.Lock()

    def stay() -> None:
        nonlocal inside, most
        with network.slot():
            with counting:
                inside += 1
                most = max(most, inside)
            leave.wait(0.2)
            with counting:
                inside -= 1

    with ThreadPoolExecutor(3 * CORES) as pool:
        list(pool.map(lambda _: stay(), range(3 * CORES)))
    assert most == CORES
