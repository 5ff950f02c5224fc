"""Many images -> their answers on all machines of a Ray cluster, or on all cores of this one.

An optional extra (requirements-ray.txt). Each actor loads the model once, on one core, and answers
images from batches of their names; so every machine must see the images under the same names, and
the model folder, or the Hub. The cluster is the one that RAY_ADDRESS names, else one is started
here and ends with the program.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read at import

import numpy as np
import ray
import ray.data

from cxr.inference import analysis
from cxr.inference.many import ArchiveError
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import Prevalence
from cxr.model.resolve import Model

_PATIENCE = 10.0  # seconds, for the cluster to answer
_BATCH = 32  # images: about a second of work, so that what Ray adds to each does not count


def answers(
    model: Model, images: Sequence[Path], prevalence: Prevalence
) -> Iterator[dict[str, Any]]:
    """The JSON object for each image file, answered or rejected, in the order given.

    Raises ArchiveError where RAY_ADDRESS names a cluster that is not there.
    """
    _join()
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    cores = int(ray.cluster_resources()["CPU"])
    batches = max(1, -(-len(images) // _BATCH))
    named = ray.data.from_items(
        [{"file": os.fspath(image)} for image in images], override_num_blocks=batches
    )
    answered = named.map_batches(
        _Scorer,
        fn_constructor_kwargs={"model": model, "prevalence": prevalence},
        batch_size=_BATCH,
        num_cpus=1,
        concurrency=(1, min(cores, batches)),
    )
    for row in answered.iter_rows():
        yield json.loads(row["answer"])


def _join() -> None:
    """Joins the cluster, or starts one. Ray itself would wait for ever for a missing one."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    host, colon, port = os.environ.get("RAY_ADDRESS", "").rpartition("://")[2].rpartition(":")
    try:
        if colon:
            socket.create_connection((host, int(port)), _PATIENCE).close()
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise ArchiveError(
            "The Ray cluster in RAY_ADDRESS cannot be reached; check the address, or unset it to "
            "start one here."
        ) from error


class _Scorer:
    """An actor: the model, loaded once, and what is asked of it."""

    def __init__(self, model: Model, prevalence: Prevalence):
        self.predictor, self.prevalence = Predictor(model, cores=1), prevalence

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        return {"answer": [self._answer(str(file)) for file in batch["file"]]}

    def _answer(self, file: str) -> str:
        return json.dumps(analysis.answer_file(self.predictor, file, file, self.prevalence))
