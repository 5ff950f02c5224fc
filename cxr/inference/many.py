"""Many images -> their answers, in order: all cores busy, memory flat, and nothing done twice.

A thread for each core takes one image after the other from its bytes to its answer: decoding and
the network both let other threads go on. Only twice as many images as threads are held at a time.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cxr.inference.prevalence
from cxr import machine
from cxr.inference import analysis
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.model.resolve import Model

_PART = ".part"
_SAME = ("model", "revision", "prevalence")  # what answers of one file have in common


class ArchiveError(ValueError):
    """Images that cannot be scored as asked; the message is one sentence for a layman."""


def answers(
    predictor: Predictor, images: Iterable[Path], prevalence: Prevalence = DEFAULT
) -> Iterator[dict[str, Any]]:
    """The JSON object for each image file, answered or rejected, in the order given."""
    with ThreadPoolExecutor(machine.cores()) as pool:
        running: deque[Future] = deque()
        try:
            for image in images:
                running.append(
                    pool.submit(analysis.answer_file, predictor, image, str(image), prevalence)
                )
                if len(running) >= 2 * machine.cores():
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


class Part:
    """Answers on their way to a file: beside it, one JSON object a line, as they are made.

    What was written before the program ended, in whatever way, can be gone on from.
    """

    def __init__(self, output: str | Path):
        self.path = Path(f"{output}{_PART}")

    def begin(self) -> set[str]:
        """Forgets what an earlier run left; no file is answered yet."""
        self.remove()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return set()

    def kept(self, model: Model, prevalence: Prevalence) -> set[str]:
        """The files that were answered before; cuts off an answer that was half written.

        Raises ArchiveError when they were answered by another model, or at another prevalence.
        """
        if not self.path.is_file():
            return self.begin()
        asked = (model.name, model.revision, cxr.inference.prevalence.name(prevalence))
        files, whole = set(), 0
        with self.path.open("rb+") as part:
            for line in part:
                found = _parse(line)
                if found is None:
                    break
                if tuple(found.get(key) for key in _SAME) != asked:
                    raise ArchiveError(
                        f"The answers in {str(self.path)!r} are of another model or prevalence; "
                        "give the same, or delete that file."
                    )
                files.add(found["file"])
                whole += len(line)
            part.truncate(whole)
        return files

    def write(self, found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Appends each answer, and hands it on."""
        with self.path.open("a", encoding="utf-8") as part:
            for answer in found:
                print(json.dumps(answer), file=part, flush=True)
                yield answer

    def read(self) -> Iterator[dict[str, Any]]:
        """All answers, in the order in which they were made."""
        with self.path.open(encoding="utf-8") as part:
            yield from map(json.loads, part)

    def remove(self) -> None:
        """Once the answers stand elsewhere."""
        self.path.unlink(missing_ok=True)


def _parse(line: bytes) -> dict[str, Any] | None:
    """The answer in a line; None of one that was cut off."""
    try:
        found = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("file"), str) else None
