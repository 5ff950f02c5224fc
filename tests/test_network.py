"""The network as it is run: alone on all cores, or beside others on one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cxr import model_folder, radiograph
from cxr.serving.network import Network

ROOT = Path(__file__).parents[1]
CORES = 3


@pytest.fixture(scope="module")
def network() -> Network:
    starter = ROOT / "models" / "starter"
    return Network(starter / model_folder.ONNX, model_folder.load(starter).image_size, CORES)


@pytest.fixture(scope="module")
def films(network) -> np.ndarray:
    """The example films as the network takes them: float32 [N, 1, S, S]."""
    size = model_folder.load(ROOT / "models" / "starter").image_size
    paths = sorted((ROOT / "examples").glob("*.png"))
    return np.stack([radiograph.squeeze(radiograph.read(path), size) for path in paths])[:, None]


def test_films_at_once_are_answered_as_alone(network, films):
    """A film's outputs are the same bit by bit, whoever else is answered meanwhile."""

    def run(film: np.ndarray):
        with network.place():
            return network.run(film[None])

    alone = [run(film) for film in films]
    with ThreadPoolExecutor(CORES) as pool:
        at_once = list(pool.map(run, films))
    for one, other in zip(alone, at_once, strict=True):
        assert np.array_equal(one.logits, other.logits)
        assert np.array_equal(one.evidence, other.evidence)
        assert np.array_equal(one.embedding, other.embedding)


def test_a_film_in_a_batch_is_answered_as_alone(network, films):
    """What else is in a batch changes nothing."""
    together = network.run(films)
    alone = [network.run(film[None]).logits[0] for film in films]
    assert np.allclose(together.logits, alone, atol=1e-5)


def test_no_more_films_at_once_than_cores(network):
    """Who comes when all places are taken waits until one is free."""
    inside, most, leave = 0, 0, threading.Event()
    counting = threading.Lock()

    def stay() -> None:
        nonlocal inside, most
        with network.place():
            with counting:
                inside += 1
                most = max(most, inside)
            leave.wait(0.2)
            with counting:
                inside -= 1

    with ThreadPoolExecutor(3 * CORES) as pool:
        list(pool.map(lambda _: stay(), range(3 * CORES)))
    assert most == CORES
