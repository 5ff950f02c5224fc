"""What a Space of this project holds: the page, its half of the code, examples, and a README that
names the model. No model: the Hub has it already.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from cxr.hub import HubName
from cxr.model_folder import NOT_FOR_CLINICAL_USE

ROOT = Path(__file__).parents[1]
MAX_BYTES = 10_000_000
MAX_FILES = 200  # several times what a Space needs: more means that something strayed in

VARIABLE = "CXR_MODEL"
THUMBNAIL = "thumbnail.jpg"
CARD = "README.md"

_AS_THEY_ARE = ("app.py", "cxr_labels.py", "requirements.txt", "LICENSE")
_CODE = "cxr"
_TRAINING = "cxr/training"
_EXAMPLES = "examples"


class SpaceError(RuntimeError):
    """A Space that cannot be put together; the message is one sentence for a layman."""


@dataclass(frozen=True)
class ServedModel:
    """The model that a Space serves.

    name: pinned to a commit.
    files: what serving fetches of it.
    public: whether anybody may read it; the Space needs a token of its own for others.
    """

    name: HubName
    files: tuple[str, ...]
    public: bool = True


def contents(space: HubName, model: ServedModel, endpoint: str) -> dict[str, bytes]:
    """The files of a Space, {path: content}, README first.

    endpoint: address of the Hub, for the links. Raises SpaceError.
    """
    files = {CARD: card(space, model, endpoint).encode()}
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


def card(space: HubName, model: ServedModel, endpoint: str) -> str:
    """The Space's README: its header, and a short page about the demo."""
    return f"---\n{header(space, model, endpoint)}\n---\n\n{_page(model, endpoint)}"


def header(space: HubName, model: ServedModel, endpoint: str) -> str:
    """The YAML that configures the Space: that of the project's README, and the model."""
    from huggingface_hub import CardData, metadata_load

    _read(CARD)  # for the sentence when it is missing
    fields = metadata_load(ROOT / CARD) or {}
    fields["thumbnail"] = f"{endpoint}/spaces/{space.repository}/resolve/main/{THUMBNAIL}"
    fields["models"] = [model.name.repository]
    # Whether a build sees the Space's token is not documented, and one that fails to fetch fails.
    if model.public:
        repository, commit = model.name.repository, model.name.revision
        fields["preload_from_hub"] = [f"{repository} {','.join(model.files)} {commit}"]
    return CardData(**fields).to_yaml()


def _page(model: ServedModel, endpoint: str) -> str:
    address = f"{endpoint}/{model.name.repository}"
    commit = model.name.revision
    return f"""\
# Findings on a chest film

A model scores the 14 findings of NIH ChestX-ray14 on a frontal chest film, says how sure it is, and
shows where on the film the evidence lies.

**{NOT_FOR_CLINICAL_USE}** A score is a model's estimate at a stated prevalence, and a low score
does not rule out disease. Choose only films that you may share: what you upload is sent to this
Space.

Model: [{model.name.repository}]({address}) at commit
[`{commit}`]({address}/tree/{commit}), which the variable `{VARIABLE}` of this Space names. Its card
says what it was trained on and how well it does.

The code that runs here is in the files of this Space, under Apache-2.0; `{_EXAMPLES}/examples.csv`
says where the example films come from. Scripts may call `/predict`, `/analyze` and `/explain`: "Use
via API", at the foot of the page, shows how.
"""


def _paths() -> list[str]:
    """What is sent as it lies in the project, in order."""
    code = [str(path.relative_to(ROOT).as_posix()) for path in (ROOT / _CODE).rglob("*.py")]
    serving = sorted(path for path in code if not path.startswith(f"{_TRAINING}/"))
    return [*_AS_THEY_ARE, *serving, *_examples()]


def _examples() -> list[str]:
    """The table of example films, and the films that it lists."""
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
