"""Many images: in order, in constant memory, and never twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import IMAGE, ROOT
from support.command import predict

from benchmarks import child
from cxr.inference.many import map_in_order


def test_results_come_in_the_order_of_the_items():
    """Whichever item is done first."""

    def work(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item

    assert list(map_in_order(work, range(20), workers=3)) == list(range(20))


def test_two_items_per_worker_are_held():
    """Items are read no further than that ahead of the results that were taken."""
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    results = map_in_order(lambda item: item, items(), workers=3)
    for taken in range(1, 50):
        next(results)
        assert len(read) <= taken + 2 * 3


def test_error_of_the_work_comes_at_its_turn():
    """The results before it are given, and nothing after it is begun."""
    begun = []

    def work(item: int) -> float:
        begun.append(item)
        return 1 / (item - 3)

    results = map_in_order(work, range(1000), workers=2)
    assert [next(results) for _ in range(3)] == [1 / -3, 1 / -2, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) < 20


@pytest.fixture(scope="module")
def unbroken(hundred_images, tmp_path_factory) -> str:
    """What a run that nothing interrupts writes as CSV."""
    target = tmp_path_factory.mktemp("unbroken") / "answers.csv"
    assert (
        predict(hundred_images, "--csv", "--output", target).returncode == 1
    )  # two are unreadable
    return target.read_text()


def test_answers_come_in_the_order_of_the_images(hundred_images, unbroken):
    """Whichever image is done first."""
    rows = unbroken.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [
        str(path) for path in sorted(hundred_images.iterdir())
    ]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_cut_off_run_goes_on_where_it_stopped(hundred_images, unbroken, tmp_path, how):
    """Killed or stopped by the user, it ends with the file that an unbroken run writes."""
    target = tmp_path / "answers.csv"
    _cut_off(hundred_images, target, how)
    assert not target.exists()
    done = predict(hundred_images, "--csv", "--output", target, "--resume")
    assert done.returncode == 1
    assert target.read_text() == unbroken
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


def test_answered_images_are_not_answered_again(hundred_images, unbroken, tmp_path):
    """What stands in the part file is taken as it is; an answer cut in half is made anew."""
    target = tmp_path / "answers.csv"
    _cut_off(hundred_images, target, signal.SIGKILL)
    part = Path(f"{target}.part")
    first, *_ = part.read_text().splitlines()
    marked = json.loads(first) | {"warnings": ["Answered before."]}
    part.write_text(json.dumps(marked) + '\n{"file": "half of an ans')
    predict(hundred_images, "--csv", "--output", target, "--resume")
    changed = target.read_text().splitlines()
    assert "Answered before." in changed[1]
    assert changed[2:] == unbroken.splitlines()[2:]


def test_answers_of_another_prevalence_are_not_gone_on_from(hundred_images, tmp_path):
    """They do not belong into one table; the sentence says so and nothing is lost."""
    target = tmp_path / "answers.csv"
    _cut_off(hundred_images, target, signal.SIGKILL)
    before = Path(f"{target}.part").read_bytes()
    done = predict(
        hundred_images, "--csv", "--output", target, "--resume", "--prevalence", "training"
    )
    assert done.returncode == 1
    assert "are of another model or prevalence" in done.stderr
    assert Path(f"{target}.part").read_bytes() == before


def test_resuming_needs_a_file():
    """On the screen nothing can be gone on with."""
    done = predict(IMAGE, "--resume")
    assert done.returncode == 2
    assert "--resume continues an earlier --output" in done.stderr


def test_memory_does_not_grow_with_the_images(hundred_images, tmp_path):
    """1,100 images more take at their peak not as much more as they would if they were held."""
    few, many = tmp_path / "few", tmp_path / "many"
    for folder, copies in ((few, 1), (many, 12)):
        folder.mkdir()
        for path in sorted(hundred_images.iterdir()):
            for copy in range(copies):
                os.link(path, folder / f"{path.stem}-{copy}.png")

    def peak(folder: Path) -> float:
        """MB of resident memory at the most while a folder is answered."""
        output = ("--json", "--output", str(tmp_path / "answers.json"))
        return child.run("-m", "cxr", "predict", "models/starter", str(folder), *output).memory

    held = 1100 * 256 * 256 / 2**20  # MB, decoded and no more
    assert peak(many) - peak(few) < 0.6 * held


def _cut_off(images: Path, target: Path, how: signal.Signals) -> None:
    """Ends a run once it has answered a few images."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(images), "--csv"]
    process = subprocess.Popen(
        [*command, "--output", str(target)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Tests that run in the background of a script ignore it, and what they start does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = Path(f"{target}.part")
    end = time.monotonic() + 60
    while not (part.is_file() and part.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None, "it ended before it could be cut off"
        assert time.monotonic() < end, "no image was answered"
        time.sleep(0.005)
    process.send_signal(how)
    process.wait()
    assert part.is_file(), "it was done before it could be cut off"
