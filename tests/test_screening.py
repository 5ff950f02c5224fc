"""Screening: chest films are answered, other pictures refused, hostile numbers never used."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.odd_pictures import KINDS, measure
from cxr import radiograph
from cxr.model_folder import ModelFolderError
from cxr.radiograph import Radiograph
from cxr.serving import screening
from cxr.serving.network import Outputs
from cxr.serving.predictor import Predictor
from cxr.serving.screening import FILE, Screening
from cxr.training import fit_screening

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "starter"
SIZE = 12  # of the made-up embeddings
LIMITS = {"warn_above": 5.0, "refuse_above": 8.0}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """The committed starter."""
    loaded = Predictor(MODEL)
    assert loaded.config.screening
    return loaded


@pytest.fixture(scope="module")
def held_out(nih_folder: Path) -> list[Path]:
    """Films of the starter's validation patients; its test patients are for the report alone."""
    return measure.files_of(MODEL, nih_folder, "valid")


@pytest.fixture(scope="module")
def fitted() -> tuple[Screening, dict[str, np.ndarray]]:
    """A screening fitted to made-up vectors, and those vectors."""
    vectors = _vectors(120, seed=0)
    patients = np.arange(120) // 2
    return fit_screening.fit(vectors, patients, _vectors(60, seed=1), seed=0), vectors


def test_odd_pictures_are_refused(predictor: Predictor):
    found = measure.report(measure.odd_pictures(predictor), {})
    assert found["pictures"] >= 150
    assert len(KINDS) >= 10
    assert found["refused_share"] >= 0.95, found["kinds"]
    assert all(kind["refused"] >= 0.7 * kind["pictures"] for kind in found["kinds"].values())


def test_held_out_films_are_not_refused(predictor: Predictor, held_out):
    films = map(radiograph.read, held_out)
    found = measure.counts(measure.judge(predictor, films))
    assert found["pictures"] >= 200
    assert found["refused"] <= 0.01 * found["pictures"]
    assert found["warned"] <= 0.04 * found["pictures"]


def test_copies_in_jpeg_are_not_refused(predictor, held_out):
    copies = [measure.as_jpeg(radiograph.read(file), 50) for file in held_out[:40]]
    assert measure.counts(measure.judge(predictor, copies))["refused"] <= 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("inverted", screening.INVERTED),
        ("upside down", screening.TURNED[2]),
        ("a quarter to the left", screening.TURNED[3]),
        ("a quarter to the right", screening.TURNED[1]),
    ],
)
def test_inverted_and_turned_films_are_called_so(predictor, held_out, change, sentence):
    films = [_changed(file, change) for file in held_out[:20]]
    verdicts = measure.judge(predictor, films)
    assert sum(sentence in v.warnings or v.refused is not None for v in verdicts) >= 19
    assert sum(sentence in v.warnings for v in verdicts) >= 15


@pytest.mark.parametrize(("quarters", "turn_back"), [(1, 3), (2, 2)])
def test_a_film_that_is_inverted_and_turned_is_called_both(predictor, quarters, turn_back):
    film = radiograph.read(ROOT / "examples" / "chest_rg1.png")
    changed = np.ascontiguousarray(np.rot90(255 - radiograph.eight_bits(film), quarters))
    (verdict,) = measure.judge(predictor, [Radiograph(changed, film.facts)])
    assert verdict.refused is None
    assert set(verdict.warnings) == {screening.INVERTED, screening.TURNED[turn_back]}


def test_corners_of_films_are_refused_or_called_unusual(predictor, held_out):
    films = [_changed(file, "cropped to a corner") for file in held_out[:20]]
    verdicts = measure.judge(predictor, films)
    assert sum(v.refused is not None or bool(v.warnings) for v in verdicts) >= 18


def test_the_example_films_are_answered_and_the_ankle_is_refused(predictor):
    names = ("chest_rg1.png", "chest_drr.png", "not_chest_rg3.png")
    films = [radiograph.read(ROOT / "examples" / name) for name in names]
    refused = [verdict.refused for verdict in measure.judge(predictor, films)]
    assert refused == [None, None, screening.NOT_A_CHEST_FILM]


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (64, 5000), (2, 2), (64, 64)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_odd_shapes_are_judged_twice_alike(fitted, shape, level):
    random = np.random.default_rng(0)
    grey = np.full(shape, level) if level is not None else random.integers(0, 256, shape)
    pixels = radiograph.squeeze(Radiograph(grey.astype(np.uint8), {}), 64)
    first, second = (fitted[0].judge(pixels, np.zeros(SIZE, np.float32)) for _ in range(2))
    assert first == second
    assert (first.refused == screening.BLANK) == (level is not None)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turning_the_numbers_is_turning_the_picture(inverted, quarters):
    pixels = np.random.default_rng(0).uniform(0, 1, (64, 64)).astype(np.float32)
    changed = np.rot90(1 - pixels if inverted else pixels, quarters)
    layout, edges = screening.describe(pixels)
    wanted_layout, wanted_edges = screening.describe(changed)
    turned = screening.turn_layout(layout, inverted, quarters)
    np.testing.assert_allclose(turned, wanted_layout, atol=1e-4)
    turned = screening.turn_edges(edges, inverted, quarters)
    np.testing.assert_allclose(turned, wanted_edges, atol=1e-4)


def test_farther_embeddings_are_odder_and_nearer_ones_make_up_for_nothing(fitted):
    judge, vectors = fitted
    layout, edges = vectors["layout"][0], vectors["edges"][0]
    mean = judge.distances["embedding"].mean
    away = np.ones(SIZE, np.float32)
    odd = [judge.measure(mean + far * away, layout, edges)[0] for far in (0, 5, 20, 100)]
    assert odd[0] < odd[1] < odd[2] < odd[3]
    assert judge.measure(mean, layout, edges)[0] >= 0


def test_the_limit_of_a_rare_share_is_found_from_few_films():
    oddness = np.random.default_rng(0).exponential(2.0, 2000)
    limit = fit_screening.exceeded_by(oddness, 0.001)
    assert limit == pytest.approx(2.0 * np.log(1000), rel=0.1)


def test_few_films_leave_a_folder_without_screening(tmp_path):
    rows = np.arange(fit_screening.MIN_FILMS - 1)
    assert fit_screening.write(tmp_path, _no_run, _no_run, rows, rows, rows) is None
    assert not (tmp_path / FILE).exists()


def test_what_training_writes_is_what_serving_reads(tmp_path):
    films = np.random.default_rng(0).uniform(0, 1, (150, 1, 32, 32)).astype(np.float32)
    rows = np.arange(150)
    entry = fit_screening.write(tmp_path, _run, films.__getitem__, rows, rows[:110], rows[110:])
    loaded = Screening.load(tmp_path, json.loads(json.dumps(entry)), SIZE)
    pixels = films[0, 0]
    embedding = _run(films[:1]).embedding[0]
    assert loaded.judge(pixels, embedding).refused is None
    assert loaded.judge(pixels, embedding + 1000).refused == screening.NOT_A_CHEST_FILM


@pytest.mark.parametrize(
    "harm",
    ["missing", "other bytes", "no zip", "pickle", "nan", "no spread", "shape", "bomb", "absent"],
)
def test_hostile_numbers_are_refused_with_a_sentence(fitted, tmp_path, harm):
    arrays = fit_screening.to_arrays(fitted[0])
    if harm == "pickle":
        arrays["embedding_mean"] = np.array([{"a": 1}], object)
    if harm == "nan":
        arrays["edges_mean"] = np.full_like(arrays["edges_mean"], np.nan)
    if harm == "no spread":
        arrays["layout_spread"] = np.zeros_like(arrays["layout_spread"])
    if harm == "shape":
        arrays["layout_axes"] = arrays["layout_axes"][:, :-1]
    if harm == "absent":
        del arrays["edges_rest"]
    if harm == "bomb":
        arrays["bomb"] = np.zeros(2**23, np.float32)
    entry = _save(tmp_path, arrays)
    if harm == "missing":
        (tmp_path / FILE).unlink()
    if harm == "other bytes":
        (tmp_path / FILE).write_bytes(b"x" + (tmp_path / FILE).read_bytes())
    if harm == "no zip":
        (tmp_path / FILE).write_bytes(b"not a zip")
        entry["sha256"] = hashlib.sha256(b"not a zip").hexdigest()
    with pytest.raises(ModelFolderError, match=r"screening.npz .* fetch or train"):
        Screening.load(tmp_path, entry, SIZE)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../screening.npz"},
        {"refuse_above": float("nan")},
        {"refuse_above": 1.0},
        {"warn_above": "high"},
        {"sha256": None},
    ],
)
def test_a_hostile_entry_of_the_config_is_refused(fitted, tmp_path, change):
    entry = _save(tmp_path, fit_screening.to_arrays(fitted[0])) | change
    with pytest.raises(ModelFolderError, match="fetch or train"):
        Screening.load(tmp_path, entry, SIZE)


def test_numbers_for_another_network_are_refused(fitted, tmp_path):
    entry = _save(tmp_path, fit_screening.to_arrays(fitted[0]))
    Screening.load(tmp_path, entry, SIZE)
    with pytest.raises(ModelFolderError, match="fetch or train"):
        Screening.load(tmp_path, entry, SIZE + 1)


def test_all_pictures_of_a_kind_differ():
    for kind, pictures in KINDS.items():
        small = [np.asarray(p.convert("RGB").resize((32, 32))).tobytes() for _, p in pictures()]
        assert len(set(small)) == len(small), kind


def _changed(file: Path, change: str) -> Radiograph:
    film = radiograph.read(file)
    return Radiograph(np.ascontiguousarray(measure.TRANSFORMS[change](film.grey)), film.facts)


def _vectors(count: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = (SIZE, screening.LAYOUT_SIZE, screening.EDGES_SIZE)
    parts = zip(screening.PARTS, sizes, strict=True)
    return {part: random.standard_normal((count, size)).astype("f4") for part, size in parts}


def _save(folder: Path, arrays: dict[str, np.ndarray]) -> dict:
    np.savez_compressed(folder / FILE, **arrays)
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    return {"file": FILE, "sha256": digest, **LIMITS}


def _run(films: np.ndarray) -> Outputs:
    """A stand-in network: its embedding is the top row of each film."""
    nothing = np.zeros((len(films), 15), np.float32)
    return Outputs(nothing, nothing[..., None, None], films[:, 0, 0, :SIZE])


def _no_run(_films):
    raise AssertionError("no film should be looked at")
