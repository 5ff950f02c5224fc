"""What a Space of this project holds: the page, its half of the code, examples, and a README that
names the model. No model: the Hub has it already.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from cxr.model.hub import HubName
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE

ROOT = Path(__file__).parents[2]
MAX_BYTES = 10_000_000
MAX_FILES = 200  # several times what a Space needs: more means that something strayed in

VARIABLE = "CXR_MODEL"
ZERO_GPU = "zero-a10g"  # the Hub's name for it, whatever its GPUs are
_PYTHON_OF_ZERO_GPU = "3.12"  # it offers 3.10 and 3.12 only, and 3.10 is too old for this project
THUMBNAIL = "thumbnail.jpg"
CARD = "README.md"

_AS_THEY_ARE = ("app.py", "cxr_labels.py", "requirements.txt", "LICENSE")
_CODE = "cxr"
_SUFFIXES = (".py", ".js", ".css", ".jinja")
_TRAINING = "cxr/training"
_EXAMPLES = "examples"


class SpaceError(RuntimeError):
    """A Space that cannot be put together; the message is one sentence for a layman."""


@dataclass(frozen=True)
class ServedModel:
    """The model that a Space serves.

    name: pinned to a commit.
    files: what serving reads of it.
    public: whether anybody may read it; the Space needs a token of its own for others.
    """

    name: HubName
    files: tuple[str, ...]
    public: bool = True

    @property
    def can_be_preloaded(self) -> bool:
        """Whether the Space's build can fetch it.

        That a build sees the Space's token is not documented, and one that cannot fetch fails; and
        the entry for it has no way to write a name with a space.
        """
        return self.public and not any(" " in file or "," in file for file in self.files)


@dataclass(frozen=True)
class Space:
    """A Space of this project.

    endpoint: address of its Hub, for links.
    hardware: what it runs on, None when that is the Hub's choice.
    """

    name: HubName
    model: ServedModel
    endpoint: str
    hardware: str | None = None

    @property
    def address(self) -> str:
        return f"{self.endpoint}/spaces/{self.name.repository}"

    @property
    def value(self) -> str:
        """What its variable says."""
        return str(self.model.name)


def contents(space: Space) -> dict[str, bytes]:
    """The files of a Space, {path: content}, README first. Raises SpaceError."""
    files = {CARD: card(space).encode()}
    files |= {path: _read(path) for path in _paths()}
    files[THUMBNAIL] = _read(f"docs/{THUMBNAIL}")
    if len(files) > MAX_FILES:
        raise SpaceError(
            f"The Space would have {len(files)} files, and {MAX_FILES} are the most; take out of "
            f"{_CODE}/ and {_EXAMPLES}/ what does not belong there."
        )
    total = weight(files)
    if total > MAX_BYTES:
        largest = max(files, key=lambda path: len(files[path]))
        raise SpaceError(
            f"The Space would weigh {total / 1e6:.1f} MB, and {MAX_BYTES / 1e6:.0f} MB are the "
            f"most; its largest file is {largest!r}."
        )
    return files


def weight(files: dict[str, bytes]) -> int:
    """What the files weigh together, in bytes."""
    return sum(map(len, files.values()))


def card(space: Space) -> str:
    """The Space's README: its header, and a short page about the demo."""
    return f"---\n{header(space)}\n---\n\n{_page(space)}"


def header(space: Space) -> str:
    """The YAML that configures the Space: that of the project's README, and the model."""
    from huggingface_hub import metadata_load
    from huggingface_hub.utils import yaml_dump

    _read(CARD)  # for the sentence when it is missing
    fields = metadata_load(ROOT / CARD) or {}
    if space.hardware == ZERO_GPU:
        fields["python_version"] = _PYTHON_OF_ZERO_GPU
    fields["thumbnail"] = f"{space.address}/resolve/main/{THUMBNAIL}"
    fields["models"] = [space.model.name.repository]
    if space.model.can_be_preloaded:
        name, files = space.model.name, ",".join(space.model.files)
        fields["preload_from_hub"] = [f"{name.repository} {files} {name.revision}"]
    return yaml_dump(fields, sort_keys=False, width=math.inf).strip()


def _page(space: Space) -> str:
    repository, commit = space.model.name.repository, space.model.name.revision
    address = f"{space.endpoint}/{repository}"
    return f"""\
# Findings on a chest X-ray

A model scores the 14 findings of NIH ChestX-ray14 on a frontal chest X-ray, says how sure it is, and
shows where on the image the heatmap lies.

**{NOT_FOR_CLINICAL_USE}** A score is a model's estimate at a stated prevalence, and a low score
does not rule out disease. Choose only images that you may share: what you upload is sent to this
Space.

Model: [{repository}]({address}) at commit
[`{commit}`]({address}/tree/{commit}), which the variable `{VARIABLE}` of this Space names. Its card
says what it was trained on and how well it does.

The code that runs here is in the files of this Space, under Apache-2.0; `{_EXAMPLES}/examples.csv`
says where the example images come from. Scripts may call `/predict`, `/analyze` and `/explain`: "Use
via API", at the foot of the page, shows how.
"""


def _paths() -> list[str]:
    """What is sent as it lies in the project, in order."""
    code = [
        str(path.relative_to(ROOT).as_posix())
        for path in (ROOT / _CODE).rglob("*")
        if path.suffix in _SUFFIXES
    ]
    serving = sorted(path for path in code if not path.startswith(f"{_TRAINING}/"))
    return [*_AS_THEY_ARE, *serving, *_examples()]


def _examples() -> list[str]:
    """The table of example images, and the images that it lists."""
    table = f"{_EXAMPLES}/examples.csv"
    rows = csv.DictReader(_read(table).decode("utf-8-sig").splitlines())
    return [table, *(f"{_EXAMPLES}/{row['file']}" for row in rows)]


def _read(path: str) -> bytes:
    try:
        return (ROOT / path).read_bytes()
    except OSError as error:
        raise SpaceError(
            f"The project's file {path!r} cannot be read, and a Space needs it: {error.strerror}."
        ) from error
