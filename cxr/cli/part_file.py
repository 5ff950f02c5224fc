"""The unfinished output of `predict`, which allows an interrupted run to be resumed."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cxr.inference import prevalence as prevalences
from cxr.inference.prevalence import Prevalence
from cxr.inference.results import Result
from cxr.model.resolve import Model

_SUFFIX = ".part"
_SAME = ("model", "revision", "prevalence")  # these must agree between the two runs


class ResumeError(ValueError):
    """An interrupted run that cannot be resumed; the message is one sentence."""


class PartFile:
    """Results beside the output file, one JSON object per line, written as they are made.

    However the program ends, the complete lines remain and another run can continue from them.
    """

    def __init__(self, output: str | Path):
        self.path = Path(f"{output}{_SUFFIX}")

    def start(self) -> set[str]:
        """Deletes what an earlier run left; returns the files with a result, which are none."""
        self.remove()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return set()

    def resume(self, model: Model, prevalence: Prevalence) -> set[str]:
        """Returns the files that have a result already, and cuts off a half-written line.

        Raises:
            ResumeError: The results are of another model or prevalence.
        """
        if not self.path.is_file():
            return self.start()
        expected = (model.name, model.revision, prevalences.name(prevalence))
        files, complete = set(), 0
        with self.path.open("rb+") as part:
            for line in part:
                result = _parse(line)
                if result is None:
                    break
                if tuple(result.get(key) for key in _SAME) != expected:
                    raise ResumeError(
                        f"The results in {str(self.path)!r} are of another model or prevalence; "
                        "name the same ones, or delete that file."
                    )
                files.add(result["file"])
                complete += len(line)
            part.truncate(complete)
        return files

    def append(self, results: Iterable[Result]) -> Iterator[Result]:
        """Writes each result and yields it."""
        with self.path.open("a", encoding="utf-8") as part:
            for result in results:
                print(json.dumps(result), file=part, flush=True)
                yield result

    def read(self) -> Iterator[Result]:
        """All results, in the order in which they were written."""
        with self.path.open(encoding="utf-8") as part:
            yield from map(json.loads, part)

    def remove(self) -> None:
        """Deletes the file, where there is one."""
        self.path.unlink(missing_ok=True)


def _parse(line: bytes) -> dict[str, Any] | None:
    """The result in a line; None where the line was cut off."""
    try:
        result = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return result if isinstance(result, dict) and isinstance(result.get("file"), str) else None
