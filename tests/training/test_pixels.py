"""The pixel cache: the pixels that serving would see, decoded once, whatever happens meanwhile."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import ROOT
from support.images import Row, encode, make_nih_folder, make_zip, spoil_zip_member

from benchmarks import child
from cxr import imaging
from cxr.datasets import nih
from cxr.datasets.files import DataError, ImageSource
from cxr.training import pixels

NAMES = [f"{i:03d}.png" for i in range(40)]
SIZE = 48
UNREADABLE = (3, 17, 38)
READABLE = [i for i in range(40) if i not in UNREADABLE]
# A script that builds as a training would, in a process of its own that a test can end.
BUILD = """if True:
    import sys
    from pathlib import Path
    from cxr.training import pixels
    from cxr.datasets.files import ImageSource
    if __name__ == "__main__":
        folder, size, cache = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
        names = sorted(path.name for path in folder.iterdir())
        source = ImageSource({name: str(folder / name) for name in names})
        pixels.build(source, names, size, cache, processes=1)
"""


def source_of(folder):
    return ImageSource({name: str(folder / "images" / name) for name in NAMES})


def build(folder, cache, **options):
    return pixels.build(source_of(folder), NAMES, SIZE, cache, **{"processes": 1, **options})


def expected(path, size=SIZE):
    """The image as serving reads it, in the cache's whole numbers."""
    return np.rint(imaging.resize(imaging.read_image(path), size) * 255)


def images_file(cache):
    (path,) = cache.glob("*/images.npy")
    return path


def scribble(cache, value=77):
    """Overwrites all cached pixels: where the value is still seen, nothing was decoded again."""
    images = np.load(images_file(cache), mmap_mode="r+")
    images[:] = value
    images.flush()


def is_scribbled(cache, value=77):
    """Of each image of the file, whether it still holds the value."""
    return (np.load(images_file(cache)) == value).all(axis=(1, 2))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of 40 images, of which three cannot be read, and its cache."""
    path = tmp_path_factory.mktemp("made")
    make_nih_folder(path / "data", [Row(name) for name in NAMES], size=70)
    images = path / "data" / "images"
    (images / NAMES[3]).write_text("no image")
    (images / NAMES[17]).write_bytes((images / NAMES[18]).read_bytes()[:900])
    (images / NAMES[38]).write_bytes(b"")
    build(path / "data", path / "cache")
    return path


@pytest.fixture
def copied(made, tmp_path):
    """The same in a place of its own, to be changed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_pixels_are_those_of_serving(made):
    """A cached image is what the reader and the squeeze give, rounded to 8 bits."""
    cache = build(made / "data", made / "cache")
    for k, i in enumerate(READABLE):
        image = cache.image(k)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, expected(made / "data" / "images" / NAMES[i]))


def test_real_images_of_all_kinds(nih_1024_folder, tmp_path):
    """The same holds for the release's own images, the RGBA ones among them."""
    data = nih.load(nih_1024_folder)
    cache = pixels.build(data.source, list(data.table.image), 224, tmp_path)
    assert cache.readable.all()
    for k, name in enumerate(data.table.image):
        np.testing.assert_array_equal(cache.image(k), expected(data.source.places[name], 224))


def test_unreadable_images_are_marked(made):
    """A text, a cut-off and an empty file are marked and stop nothing."""
    cache = build(made / "data", made / "cache")
    assert np.flatnonzero(~cache.readable).tolist() == list(UNREADABLE)
    assert len(cache) == 37


def test_images_for_the_network(made):
    """A batch is float32 [n, 1, S, S], 0..1, in the order asked for, counted by readable images."""
    cache = build(made / "data", made / "cache")
    batch = cache.images([36, 3, 3])
    assert batch.dtype == np.float32
    assert batch.shape == (3, 1, SIZE, SIZE)
    for image, i in zip(batch[:, 0], (39, 4, 4), strict=True):
        path = made / "data" / "images" / NAMES[i]
        np.testing.assert_allclose(image * 255, expected(path), atol=1e-4)


def test_file_is_a_plain_array(made):
    """images.npy can be opened by NumPy alone: uint8 [N, S, S]."""
    images = np.load(images_file(made / "cache"), mmap_mode="r")
    assert images.shape == (40, SIZE, SIZE)
    assert images.dtype == np.uint8


def test_parallel_is_the_same(made, tmp_path):
    """More processes and other chunks give the same file."""
    build(made / "data", tmp_path, processes=2)
    assert images_file(tmp_path).read_bytes() == images_file(made / "cache").read_bytes()


def test_second_run_decodes_nothing(copied):
    """A finished cache is used as it is, unreadable images included."""
    scribble(copied / "cache")
    before = images_file(copied / "cache").stat().st_mtime_ns
    cache = build(copied / "data", copied / "cache")
    assert is_scribbled(copied / "cache").all()
    assert images_file(copied / "cache").stat().st_mtime_ns == before
    assert np.flatnonzero(~cache.readable).tolist() == list(UNREADABLE)


def test_changed_image_is_decoded_again(copied):
    """When one image's file changes, this image is decoded again and no other."""
    scribble(copied / "cache")
    path = copied / "data" / "images" / NAMES[20]
    path.write_bytes(encode(np.full((90, 90), 200, np.uint8)))
    build(copied / "data", copied / "cache")
    assert np.flatnonzero(~is_scribbled(copied / "cache")).tolist() == [20]
    assert (np.load(images_file(copied / "cache"))[20] == 200).all()


def test_mended_and_broken_images(copied):
    """An image that was mended becomes readable, one that broke unreadable."""
    images = copied / "data" / "images"
    shutil.copy(images / NAMES[5], images / NAMES[3])
    (images / NAMES[6]).write_text("no image any more")
    cache = build(copied / "data", copied / "cache")
    assert np.flatnonzero(~cache.readable).tolist() == [6, 17, 38]
    np.testing.assert_array_equal(cache.image(3), expected(images / NAMES[5]))


def test_other_size_is_another_cache(copied):
    """Another size is decoded anew and leaves the first cache as it is."""
    kept = images_file(copied / "cache").read_bytes()
    names = NAMES[:5]
    small = pixels.build(source_of(copied / "data"), names, 32, copied / "cache", processes=1)
    np.testing.assert_array_equal(
        small.image(0), expected(copied / "data" / "images" / NAMES[0], 32)
    )
    (first,) = copied.glob(f"cache/*{SIZE}px-40-*/images.npy")
    assert first.read_bytes() == kept


def test_order_of_images_is_kept_apart(copied):
    """The same images asked for in another order come in that order."""
    names = NAMES[10:4:-1]
    cache = pixels.build(source_of(copied / "data"), names, SIZE, copied / "cache", processes=1)
    for k, name in enumerate(names):
        np.testing.assert_array_equal(cache.image(k), expected(copied / "data" / "images" / name))


def test_lost_pixels_are_decoded_again(copied):
    """When the array is gone but the record of what is done is not, nothing is taken as done."""
    kept = images_file(copied / "cache").read_bytes()
    images_file(copied / "cache").unlink()
    build(copied / "data", copied / "cache")
    assert images_file(copied / "cache").read_bytes() == kept


def test_zip_is_the_same(made, tmp_path):
    """Images in a zip give the same file as in a folder, and unreadable ones are marked."""
    path = make_zip(tmp_path / "data.zip", made / "data")
    source = ImageSource({name: f"images/{name}" for name in NAMES}, str(path))
    cache = pixels.build(source, NAMES, SIZE, tmp_path, processes=1)
    assert np.flatnonzero(~cache.readable).tolist() == list(UNREADABLE)
    assert images_file(tmp_path).read_bytes() == images_file(made / "cache").read_bytes()


def test_damaged_image_in_zip_is_marked(made, tmp_path):
    """An image whose packed bytes are damaged is marked; the others are decoded."""
    path = make_zip(tmp_path / "data.zip", made / "data")
    spoil_zip_member(path, f"images/{NAMES[1]}")
    names = NAMES[:3]
    source = ImageSource({name: f"images/{name}" for name in names}, str(path))
    cache = pixels.build(source, names, SIZE, tmp_path, processes=1)
    assert cache.readable.tolist() == [True, False, True]


def test_disk_without_room_is_said_before_decoding(made, tmp_path):
    """Images that the disk cannot hold end the build with a sentence, and nothing is written."""
    side = 100_000
    count = 2 * shutil.disk_usage(tmp_path).total // side**2 + 1
    names = [f"{i}.png" for i in range(count)]
    with pytest.raises(DataError, match="GB are free; free some"):
        pixels.build(ImageSource(dict.fromkeys(names, "image.png")), names, side, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_room_is_needed_only_for_what_is_not_decoded(made, tmp_path, monkeypatch):
    """On a full disk a finished cache is still used; for a new one 500 MB must stay free."""
    usage, needed = shutil.disk_usage(tmp_path), 40 * SIZE**2
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    assert len(build(made / "data", made / "cache")) == 37
    free = 500 * 2**20 + needed
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free - 1))
    with pytest.raises(DataError, match="choose a smaller --image-size"):
        build(made / "data", tmp_path)


def test_room_taken_is_said_before_decoding(tmp_path, capsys):
    """Where the cache is large, what it takes and what is free stand before the first image."""
    (tmp_path / "image.png").write_bytes(b"no image")
    names = [f"{i}.png" for i in range(30)]
    source = ImageSource(dict.fromkeys(names, str(tmp_path / "image.png")))
    pixels.build(source, names, 2048, tmp_path / "cache", processes=1)
    said = capsys.readouterr().out
    assert "The decoded images take 0.1 GB in" in said


def test_cache_lies_where_the_environment_says(made, tmp_path, monkeypatch):
    """Without a folder the cache lies below $CXR_CACHE."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "mine"))
    pixels.build(source_of(made / "data"), NAMES[:2], SIZE, processes=1)
    assert images_file(tmp_path / "mine").is_file()


def test_cache_lies_in_the_home_folder_by_default(tmp_path, monkeypatch):
    """Without $CXR_CACHE it is ~/.cache/cxr."""
    monkeypatch.delenv("CXR_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pixels.default_folder() == tmp_path / ".cache" / "cxr"


# Interruptions ----------------------------------------------------------------------------------


@pytest.fixture
def stuck(tmp_path):
    """A build of 70 images that waits for ever in image 50, for which a pipe stands.

    Gives the running process, the folder of images and the folder of the cache.
    """
    folder, cache = tmp_path / "images", tmp_path / "cache"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(70):
        image = rng.integers(0, 256, (70, 70), dtype=np.uint8)
        (folder / f"{i:03d}.png").write_bytes(encode(image))
    (folder / "050.png").unlink()
    os.mkfifo(folder / "050.png")
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    process = subprocess.Popen(
        [sys.executable, script, folder, str(SIZE), cache],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell that starts the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = b""
    # The bar moves when the first 32 images were reported back; image 50 is in the next task.
    while b"32/70" not in said:
        said += os.read(process.stderr.fileno(), 4096)
        assert process.poll() is None, said.decode()
    writer = _open_when_read(folder / "050.png")
    yield process, folder, cache
    os.close(writer)
    if _group_lives(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.stderr.close()
    process.wait()


def _open_when_read(pipe):
    """Opens a pipe for writing once another process has begun to read it."""
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.01)


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def mend(folder):
    (folder / "050.png").unlink()
    (folder / "050.png").write_bytes(encode(np.full((70, 70), 50, np.uint8)))


def rebuild(folder, cache):
    names = sorted(path.name for path in folder.iterdir())
    source = ImageSource({name: str(folder / name) for name in names})
    done = pixels.build(source, names, SIZE, cache, processes=1)
    assert done.readable.all()
    return names


def test_interrupted_build_goes_on(stuck):
    """After Ctrl-C the next build decodes only what was not done."""
    process, folder, cache = stuck
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    mend(folder)
    scribble(cache)
    rebuild(folder, cache)
    assert np.flatnonzero(is_scribbled(cache)).tolist() == list(range(32))


def test_killed_build_leaves_no_wrong_pixels(stuck):
    """After a kill without warning the next build ends with every image right."""
    process, folder, cache = stuck
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    mend(folder)
    names = rebuild(folder, cache)
    for image, name in zip(np.load(images_file(cache)), names, strict=True):
        np.testing.assert_array_equal(image, expected(folder / name))


def test_workers_end_with_a_killed_build(stuck):
    """When only the build itself is killed, its workers do not stay behind."""
    process, _, _ = stuck
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_lives(process.pid)


# Memory -----------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_images(tmp_path):
    """Ten times the images (94 MB more pixels) take no more memory, in the build or its workers."""
    image = encode(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    peaks = []
    for count in (40, 400):
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            (folder / f"{i:03d}.png").write_bytes(image)
        run = child.run("-c", BUILD, str(folder), "512", str(tmp_path / "cache"))
        peaks.append(np.array([run.memory, run.worker]))
    sizes = [path.stat().st_size for path in tmp_path.glob("cache/*/images.npy")]
    assert max(sizes) - min(sizes) == 360 * 512 * 512
    assert (peaks[0] > 20).all(), "a worker was not seen"
    assert (peaks[1] - peaks[0] < 30).all(), peaks
