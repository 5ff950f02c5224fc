"""Results for many images, computed on a Ray cluster or on all cores of this machine.

This needs requirements-ray.txt. Each actor loads the model once, on one core, and gets batches of
file names. Therefore every machine must have the images, and the model folder unless it comes from
the Hub, under the same paths. RAY_ADDRESS names the cluster; without it, one is started here and
stopped when the program ends.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reads it at import

import numpy as np
import ray
import ray.data

from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import Prevalence
from cxr.inference.results import Result
from cxr.model.resolve import Model

_CONNECT_SECONDS = 10.0
_BATCH = 32  # images: about a second of work, so that Ray's own cost per batch is negligible


class ClusterError(RuntimeError):
    """The cluster cannot be reached; the message is one sentence."""


def of_files(model: Model, images: Sequence[Path], prevalence: Prevalence) -> Iterator[Result]:
    """The JSON objects for many image files, in order; see `results.of_files`.

    Raises:
        ClusterError: RAY_ADDRESS names a cluster that cannot be reached.
    """
    _connect()
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    cores = int(ray.cluster_resources()["CPU"])
    batches = max(1, -(-len(images) // _BATCH))
    files = ray.data.from_items(
        [{"file": os.fspath(image)} for image in images], override_num_blocks=batches
    )
    computed = files.map_batches(
        _Actor,
        fn_constructor_kwargs={"model": model, "prevalence": prevalence},
        batch_size=_BATCH,
        num_cpus=1,
        concurrency=(1, min(cores, batches)),
    )
    for row in computed.iter_rows():
        yield json.loads(row["result"])


def _connect() -> None:
    """Joins the cluster, or starts one. Ray itself waits for ever for a cluster that is away."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    host, colon, port = os.environ.get("RAY_ADDRESS", "").rpartition("://")[2].rpartition(":")
    try:
        if colon:
            socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(
            "The Ray cluster in RAY_ADDRESS cannot be reached; check the address, or unset it to "
            "start one here."
        ) from error


class _Actor:
    """Holds the model, loaded once."""

    def __init__(self, model: Model, prevalence: Prevalence):
        self.predictor, self.prevalence = Predictor(model, cores=1), prevalence

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        return {"result": [self._result(str(file)) for file in batch["file"]]}

    def _result(self, file: str) -> str:
        return json.dumps(results.of_file(self.predictor, file, file, self.prevalence))
