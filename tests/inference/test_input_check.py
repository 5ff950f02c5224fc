"""Input check: chest X-rays are answered, other images rejected, hostile numbers never used."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from support import ROOT

from benchmarks.ood_images import KINDS, measure
from cxr import imaging
from cxr.imaging import GreyImage
from cxr.inference import input_check
from cxr.inference.input_check import InputCheck
from cxr.inference.predictor import Predictor
from cxr.inference.sessions import Outputs
from cxr.model.config import InputCheckEntry
from cxr.model.errors import ModelFolderError
from cxr.model.model_folder import INPUT_CHECK
from cxr.training import fit_input_check

MODEL = ROOT / "models" / "starter"
SIZE = 12  # of the made-up embeddings
LIMITS = {"warn_above": 5.0, "reject_above": 8.0}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """The committed starter."""
    loaded = Predictor(MODEL)
    assert loaded.config.input_check
    return loaded


@pytest.fixture(scope="module")
def held_out(nih_folder: Path) -> list[Path]:
    """Images of the starter's validation patients; its test patients are for the report alone."""
    return measure.files_of(MODEL, nih_folder, "valid")


@pytest.fixture(scope="module")
def fitted() -> tuple[InputCheck, dict[str, np.ndarray]]:
    """A input check fitted to made-up vectors, and those vectors."""
    vectors = _vectors(120, seed=0)
    patients = np.arange(120) // 2
    return fit_input_check.fit(vectors, patients, _vectors(60, seed=1), seed=0), vectors


def test_ood_images_are_rejected(predictor: Predictor):
    found = measure.report(measure.ood_images(predictor), {})
    assert found["images"] >= 150
    assert len(KINDS) >= 10
    assert found["rejected_share"] >= 0.95, found["kinds"]
    assert all(kind["rejected"] >= 0.7 * kind["images"] for kind in found["kinds"].values())


def test_held_out_images_are_not_rejected(predictor: Predictor, held_out):
    images = map(imaging.read_image, held_out)
    found = measure.counts(measure.judge(predictor, images))
    assert found["images"] >= 200
    assert found["rejected"] <= 0.01 * found["images"]
    assert found["warned"] <= 0.04 * found["images"]


def test_copies_in_jpeg_are_not_rejected(predictor, held_out):
    copies = [measure.as_jpeg(imaging.read_image(file), 50) for file in held_out[:40]]
    assert measure.counts(measure.judge(predictor, copies))["rejected"] <= 1


def test_no_image_is_measured_by_a_fit_that_knows_its_patient(monkeypatch):
    """Each fit leaves out whole patients, so that the limits are not too narrow."""
    vectors, patients = _vectors(120, seed=0), np.arange(120) // 2
    fit_distance = fit_input_check.fit_distance
    fitted_to: list[np.ndarray] = []

    def noted(some: np.ndarray, count: int):
        fitted_to.append((vectors["layout"][:, None] == some).all(2).any(1))
        return fit_distance(some, count)

    monkeypatch.setattr(fit_input_check, "fit_distance", noted)
    monkeypatch.setattr(fit_input_check, "DIRECTIONS", {"layout": 64})
    fit_input_check.fit(vectors, patients, _vectors(60, seed=1), seed=0)
    whole, *folds = fitted_to
    assert whole.all()
    assert len(folds) == 5
    for known in folds:
        assert 0 < known.sum() < 120
        assert (known[::2] == known[1::2]).all()


def test_distance_is_that_of_a_probabilistic_pca():
    """It is the logarithm of the Mahalanobis distance under scikit-learn's model of the images."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((200, 12)) * np.linspace(1, 4, 12) + 3
    others = random.standard_normal((7, 12)) * 5
    found = fit_input_check.fit_distance(vectors.astype("f4"), 5).logarithm(others)
    away, inverse = others - vectors.mean(0), np.linalg.inv(PCA(5).fit(vectors).get_covariance())
    expected = np.log(np.einsum("nd,de,ne->n", away, inverse, away)) / 2
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_few_images_give_few_directions():
    """A direction needs four images; one in which no image differs does not count as infinite."""
    vectors = np.random.default_rng(0).standard_normal((20, 12)).astype("f4")
    vectors[:, 3] = 1
    fitted = fit_input_check.fit_distance(vectors, 128)
    assert fitted.axes.shape == (12, 5)
    assert np.isfinite(fitted.logarithm(vectors + np.eye(12, dtype="f4")[3])).all()


def test_limits_are_exceeded_by_the_promised_shares():
    """Of new images like those of the training, 1 % get a warning or worse, 0.1 % are rejected."""

    def drawn(count: int, seed: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(seed)
        sizes = zip(input_check.PARTS, (140, 80, 140), strict=True)
        return {part: random.standard_normal((count, size)).astype("f4") for part, size in sizes}

    judge = fit_input_check.fit(drawn(1600, 0), np.arange(1600) // 2, drawn(800, 1), seed=0)
    new = drawn(20_000, 2)
    scores = sum(np.maximum(judge.distances[part](new[part]), 0) for part in input_check.PARTS)
    assert np.mean(scores > judge.warn_above) == pytest.approx(0.01, abs=0.004)
    assert np.mean(scores > judge.reject_above) == pytest.approx(0.001, abs=0.001)
    for part in input_check.PARTS:
        assert judge.distances[part](new[part]).std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("quarters", "turn_back"), [(1, 3), (2, 2)])
def test_an_image_that_is_inverted_and_turned_is_called_both(predictor, quarters, turn_back):
    image = imaging.read_image(ROOT / "examples" / "chest_rg1.png")
    changed = np.ascontiguousarray(np.rot90(255 - imaging.eight_bits(image), quarters))
    (verdict,) = measure.judge(predictor, [GreyImage(changed)])
    assert verdict.rejected is None
    assert set(verdict.warnings) == {input_check.INVERTED, input_check.TURNED[turn_back]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("inverted", input_check.INVERTED),
        ("upside down", input_check.TURNED[2]),
        ("a quarter to the left", input_check.TURNED[3]),
        ("a quarter to the right", input_check.TURNED[1]),
    ],
)
def test_inverted_and_turned_images_are_called_so(predictor, held_out, change, sentence):
    images = [_changed(file, change) for file in held_out[:20]]
    verdicts = measure.judge(predictor, images)
    assert sum(sentence in v.warnings or v.rejected is not None for v in verdicts) >= 19
    assert sum(sentence in v.warnings for v in verdicts) >= 15


def test_corners_of_images_are_rejected_or_called_unusual(predictor, held_out):
    images = [_changed(file, "cropped to a corner") for file in held_out[:20]]
    verdicts = measure.judge(predictor, images)
    assert sum(v.rejected is not None or bool(v.warnings) for v in verdicts) >= 18


def test_the_example_images_are_answered_and_the_ankle_is_rejected(predictor):
    names = ("chest_rg1.png", "chest_drr.png", "not_chest_rg3.png")
    images = [imaging.read_image(ROOT / "examples" / name) for name in names]
    rejected = [verdict.rejected for verdict in measure.judge(predictor, images)]
    assert rejected == [None, None, input_check.NOT_A_CHEST_XRAY]


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (64, 5000), (2, 2), (64, 64)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_odd_shapes_are_judged_twice_alike(fitted, shape, level):
    random = np.random.default_rng(0)
    grey = np.full(shape, level) if level is not None else random.integers(0, 256, shape)
    pixels = imaging.resize(GreyImage(grey.astype(np.uint8)), 64)
    first, second = (fitted[0].judge(pixels, np.zeros(SIZE, np.float32)) for _ in range(2))
    assert first == second
    assert (first.rejected == input_check.BLANK) == (level is not None)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turning_the_numbers_is_turning_the_picture(inverted, quarters):
    pixels = np.random.default_rng(0).uniform(0, 1, (64, 64)).astype(np.float32)
    changed = np.rot90(1 - pixels if inverted else pixels, quarters)
    layout, edges = input_check.describe(pixels)
    wanted_layout, wanted_edges = input_check.describe(changed)
    turned = input_check.turn_layout(layout, inverted, quarters)
    np.testing.assert_allclose(turned, wanted_layout, atol=1e-4)
    turned = input_check.turn_edges(edges, inverted, quarters)
    np.testing.assert_allclose(turned, wanted_edges, atol=1e-4)


def test_farther_embeddings_are_odder_and_nearer_ones_make_up_for_nothing(fitted):
    judge, vectors = fitted
    layout, edges = vectors["layout"][0], vectors["edges"][0]
    mean = judge.distances["embedding"].mean
    away = np.ones(SIZE, np.float32)
    odd = [judge.measure(mean + far * away, layout, edges)[0] for far in (0, 5, 20, 100)]
    assert odd[0] < odd[1] < odd[2] < odd[3]
    assert judge.measure(mean, layout, edges)[0] >= 0


def test_the_limit_of_a_rare_share_is_found_from_few_images():
    ood_score = np.random.default_rng(0).exponential(2.0, 2000)
    limit = fit_input_check.exceeded_by(ood_score, 0.001)
    assert limit == pytest.approx(2.0 * np.log(1000), rel=0.1)


@pytest.mark.parametrize(("train", "valid"), [(99, 99), (100, 19)])
def test_few_images_leave_a_folder_without_input_check(tmp_path, train, valid):
    rows = np.arange(train + valid)
    sets = (rows[:train], rows[train:])
    assert fit_input_check.write(tmp_path, _no_run, _no_run, rows, *sets) is None
    assert not (tmp_path / INPUT_CHECK).exists()


def test_input_check_is_fitted_to_the_sets_and_patients_it_is_given(tmp_path, fitted, monkeypatch):
    """Training rows with their patients, and validation rows; the limits found are written."""
    given: list = []
    monkeypatch.setattr(fit_input_check, "fit", lambda *some: given.extend(some) or fitted[0])
    images = np.random.default_rng(0).uniform(0, 1, (120, 1, 32, 32)).astype(np.float32)
    rows, patients = np.random.default_rng(1).permutation(120), np.arange(120) // 3
    train, valid = np.sort(rows[:100]), np.sort(rows[100:])
    entry = fit_input_check.write(
        tmp_path, _run, images.__getitem__, patients, train, valid, seed=4
    )
    of_train, of_patients, of_valid, seed = given
    for found, some in ((of_train, train), (of_valid, valid)):
        assert np.array_equal(found["embedding"], images[some, 0, 0, :SIZE])
        layouts, edges = zip(
            *(input_check.describe(image) for image in images[some, 0]), strict=True
        )
        assert np.array_equal(found["layout"], np.stack(layouts))
        assert np.array_equal(found["edges"], np.stack(edges))
    assert np.array_equal(of_patients, patients[train])
    assert seed == 4
    assert entry is not None
    assert (entry.warn_above, entry.reject_above) == (fitted[0].warn_above, fitted[0].reject_above)
    assert entry.warn_above < entry.reject_above


def test_what_training_writes_is_what_serving_reads(tmp_path):
    images = np.random.default_rng(0).uniform(0, 1, (150, 1, 32, 32)).astype(np.float32)
    rows = np.arange(150)
    entry = fit_input_check.write(tmp_path, _run, images.__getitem__, rows, rows[:110], rows[110:])
    loaded = InputCheck.load(tmp_path, entry, SIZE)
    pixels = images[0, 0]
    embedding = _run(images[:1]).embedding[0]
    assert loaded.judge(pixels, embedding).rejected is None
    assert loaded.judge(pixels, embedding + 1000).rejected == input_check.NOT_A_CHEST_XRAY


@pytest.mark.parametrize(
    "harm",
    [
        "missing",
        "other bytes",
        "no zip",
        "pickle",
        "nan",
        "no spread",
        "no rest",
        "no scale",
        "doubles",
        "shape",
        "bomb",
        "absent",
    ],
)
def test_hostile_numbers_are_rejected_with_a_sentence(fitted, tmp_path, harm):
    arrays = fit_input_check.to_arrays(fitted[0])
    if harm == "pickle":
        arrays["embedding_mean"] = np.array([{"a": 1}], object)
    if harm == "nan":
        arrays["edges_mean"] = np.full_like(arrays["edges_mean"], np.nan)
    if harm == "no spread":
        arrays["layout_spread"] = np.zeros_like(arrays["layout_spread"])
    if harm == "no rest":
        arrays["embedding_rest"] = np.zeros_like(arrays["embedding_rest"])
    if harm == "no scale":
        arrays["edges_scale"] = -arrays["edges_scale"]
    if harm == "doubles":
        arrays["edges_scale"] = arrays["edges_scale"].astype(np.float64)
    if harm == "shape":
        arrays["layout_axes"] = arrays["layout_axes"][:, :-1]
    if harm == "absent":
        del arrays["edges_rest"]
    if harm == "bomb":
        arrays["bomb"] = np.zeros(2**23, np.float32)
    entry = _save(tmp_path, arrays)
    if harm == "missing":
        (tmp_path / INPUT_CHECK).unlink()
    if harm == "other bytes":
        (tmp_path / INPUT_CHECK).write_bytes(b"x" + (tmp_path / INPUT_CHECK).read_bytes())
    if harm == "no zip":
        (tmp_path / INPUT_CHECK).write_bytes(b"not a zip")
        entry = entry.model_copy(update={"sha256": hashlib.sha256(b"not a zip").hexdigest()})
    with pytest.raises(ModelFolderError, match=r"input_check.npz .* fetch or train"):
        InputCheck.load(tmp_path, entry, SIZE)


def test_numbers_for_another_network_are_rejected(fitted, tmp_path):
    entry = _save(tmp_path, fit_input_check.to_arrays(fitted[0]))
    loaded = InputCheck.load(tmp_path, entry, SIZE)
    assert {"warn_above": loaded.warn_above, "reject_above": loaded.reject_above} == LIMITS
    with pytest.raises(ModelFolderError, match="fetch or train"):
        InputCheck.load(tmp_path, entry, SIZE + 1)


def test_all_images_of_a_kind_differ():
    for kind, images in KINDS.items():
        small = [np.asarray(p.convert("RGB").resize((32, 32))).tobytes() for _, p in images()]
        assert len(set(small)) == len(small), kind


def _changed(file: Path, change: str) -> GreyImage:
    image = imaging.read_image(file)
    return GreyImage(np.ascontiguousarray(measure.TRANSFORMS[change](image.grey)))


def _vectors(count: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = (SIZE, input_check.LAYOUT_SIZE, input_check.EDGES_SIZE)
    parts = zip(input_check.PARTS, sizes, strict=True)
    return {part: random.standard_normal((count, size)).astype("f4") for part, size in parts}


def _save(folder: Path, arrays: dict[str, np.ndarray]) -> InputCheckEntry:
    np.savez_compressed(folder / INPUT_CHECK, **arrays)
    digest = hashlib.sha256((folder / INPUT_CHECK).read_bytes()).hexdigest()
    return InputCheckEntry(file=INPUT_CHECK, sha256=digest, **LIMITS)


def _run(images: np.ndarray) -> Outputs:
    """A stand-in network: its embedding is the top row of each image."""
    nothing = np.zeros((len(images), 15), np.float32)
    return Outputs(nothing, nothing[..., None, None], images[:, 0, 0, :SIZE])


def _no_run(_images):
    raise AssertionError("no image should be looked at")
