"""The files of a Space: app.py, the packages that it imports, examples, and a README that names the
model. The model itself is not among them: the Space downloads it from the Hub.
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

_TOP_LEVEL = ("app.py", "cxr_labels.py", "requirements.txt", "LICENSE")
_CODE = "cxr"
_NOT_FOR_THE_APP = ("datasets", "evaluation", "training")  # packages of cxr
_SUFFIXES = (".py", ".js", ".css", ".jinja")
_EXAMPLES = "examples"


class SpaceError(RuntimeError):
    """A Space that cannot be put together; the message is one sentence for a layperson."""


@dataclass(frozen=True)
class ServedModel:
    """The model that a Space serves.

    Attributes:
        name: Pinned to a commit.
        files: Those that inference reads.
        public: Whether anybody may read it; if not, the Space needs a token of its own.
    """

    name: HubName
    files: tuple[str, ...]
    public: bool = True

    @property
    def can_be_preloaded(self) -> bool:
        """Whether the Space's build can download it.

        Preloading private repositories is not supported, and `preload_from_hub` has no way to write
        a file name with a space or a comma.
        """
        return self.public and not any(" " in file or "," in file for file in self.files)


@dataclass(frozen=True)
class Space:
    """A Space of this project.

    Attributes:
        name: Its repository.
        model: The model that it serves.
        endpoint: Address of its Hub, for links.
        hardware: What it runs on; None leaves the choice to the Hub.
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
        """The value of its variable."""
        return str(self.model.name)


def contents(space: Space) -> dict[str, bytes]:
    """The files of a Space, {path: content}, README first.

    Raises:
        SpaceError: A file cannot be read, or they are too many or too large.
    """
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
    """The size of all files in bytes."""
    return sum(map(len, files.values()))


def card(space: Space) -> str:
    """The Space's README: its header, and a short page about the demo."""
    return f"---\n{header(space)}\n---\n\n{_page(space)}"


def header(space: Space) -> str:
    """The YAML that configures the Space: the header of the project's README, and the model."""
    from huggingface_hub import metadata_load
    from huggingface_hub.utils import yaml_dump

    _read(CARD)  # raises SpaceError if it is missing
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

A model estimates the probability of the 14 findings of NIH ChestX-ray14 on a frontal chest X-ray,
and shows a heatmap for each finding.

**{NOT_FOR_CLINICAL_USE}** Probabilities are estimates at a stated prevalence, and a low probability
does not rule out disease. Choose only images that you may share: what you upload is sent to this
Space.

Model: [{repository}]({address}) at commit
[`{commit}`]({address}/tree/{commit}), which the variable `{VARIABLE}` of this Space names. Its card
says what it was trained on and how well it does.

The code that runs here is in the files of this Space, under Apache-2.0; `{_EXAMPLES}/examples.csv`
says where the example images come from. Scripts may call `/predict`, `/analyze` and `/explain`:
"Use via API", at the foot of the page, shows how.
"""


def _paths() -> list[str]:
    """The files of the project that are sent unchanged, in order."""
    code = sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / _CODE).rglob("*")
        if path.suffix in _SUFFIXES
    )
    left_out = tuple(f"{_CODE}/{package}/" for package in _NOT_FOR_THE_APP)
    app = [path for path in code if not path.startswith(left_out)]
    return [*_TOP_LEVEL, *app, *_examples()]


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
