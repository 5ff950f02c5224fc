"""Who is trained on and who is not: shares, people kept together, the same split every time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.images import make_nih_folder, make_rows

import cxr_labels
from cxr.datasets import nih, splits
from cxr.datasets.files import DataError, ImageSource
from cxr.datasets.nih import NihData
from cxr_labels import LABELS


def data_of(patients, labels, test_list=()):
    """Data of images NNN.png; labels: one cell an image; patients: numbers or names."""
    n = len(patients)
    names = [str(patient) for patient in patients]
    table = pd.DataFrame({"image": [f"{i:05d}.png" for i in range(n)], "patient": names})
    targets = np.stack([cxr_labels.encode(cxr_labels.parse_labels(cell)) for cell in labels])
    source = ImageSource({name: name for name in table.image})
    return NihData(table, targets, source, nih.Report(), frozenset(test_list))


@pytest.fixture(scope="module")
def people():
    """2,000 patients of 1 to 9 images; 13 patients have the rarest finding."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(2000) * 3, rng.integers(1, 10, 2000))
    labels = rng.choice(["Mass", "Effusion|Mass", "No Finding"], len(patients)).astype(object)
    rare = rng.choice(2000, 13, replace=False) * 3
    labels[np.isin(patients, rare)] = "Hernia"
    return data_of(patients, labels)


def test_split_is_that_of_earlier_versions():
    """A published split can be made again: the sets of 40 patients as version 1.0.0 dealt them."""
    cells = ["Hernia", "Mass", "No Finding", "Effusion|Mass", "No Finding"]
    data = data_of(np.arange(40) // 2 * 7, [cells[i % 5] for i in range(40)])
    expected = {  # the second letters of train, valid and test
        "patient": "rreerraarreerrrrrrrraarrrrrrrrrrrrrrrree",
        "random": "errrerararrearerrrrrrrrrerrrrrererrrrrer",
    }
    for kind, letters in expected.items():
        assert "".join(name[1] for name in splits.make(data, kind, 3)) == letters


@pytest.mark.parametrize("kind", ["patient", "official"])
def test_order_of_the_table_does_not_matter(people, kind):
    """The rows in another order give each patient the same set."""
    order = np.random.default_rng(1).permutation(len(people.table))
    table = people.table.iloc[order].reset_index(drop=True)
    turned = replace(people, table=table, targets=people.targets[order])
    split = splits.make(people, kind, 0)
    np.testing.assert_array_equal(splits.make(turned, kind, 0), split[order])


def images_per_patient_and_set(data, split):
    return pd.crosstab(data.table.patient.to_numpy(), split)


@pytest.mark.parametrize("kind", ["patient", "random"])
def test_shares(people, kind):
    """70 % of the images are trained on, 10 % chosen by, 20 % reported on."""
    split = splits.make(people, kind, seed=0)
    assert len(split) == len(people.table)
    shares = [(split == name).mean() for name in ("train", "valid", "test")]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.02)


def test_shares_of_patients(people):
    """The split by patient deals the patients, too, in these shares."""
    counts = images_per_patient_and_set(people, splits.make(people, "patient", seed=0))
    shares = (counts > 0).mean()[["train", "valid", "test"]].tolist()
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.005)


@pytest.mark.parametrize("kind", ["patient", "official"])
@pytest.mark.parametrize("seed", range(3))
def test_people_stay_together(people, kind, seed):
    """No patient has images in two sets."""
    split = splits.make(people, kind, seed)
    assert ((images_per_patient_and_set(people, split) > 0).sum(axis=1) == 1).all()
    assert splits.shared_images(people, split, "valid") == 0
    assert splits.shared_images(people, split, "test") == 0


@pytest.mark.parametrize("kind", splits.KINDS)
def test_same_seed_same_split(people, kind):
    """The split is a function of the data and the seed."""
    first, second = splits.make(people, kind, 5), splits.make(people, kind, 5)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", splits.KINDS)
def test_other_seed_other_split(people, kind):
    """Another seed changes who is trained on."""
    changed = (splits.make(people, kind, 5) != splits.make(people, kind, 6)).mean()
    assert changed > 0.1


@pytest.mark.parametrize("kind", ["patient", "random"])
@pytest.mark.parametrize("seed", range(10))
def test_rare_finding_is_in_every_set(people, kind, seed):
    """A finding of 13 patients among 2,000 falls to all three sets, whatever the seed."""
    split = splits.make(people, kind, seed)
    hernia = people.targets[:, LABELS.index("Hernia")] == 1
    assert set(split[hernia]) == set(splits.NAMES)


@pytest.mark.parametrize("seed", range(5))
def test_findings_have_the_shares_too(people, seed):
    """Each common finding falls to the sets in about the shares of all images."""
    split = splits.make(people, "patient", seed)
    for label in ("Mass", "Effusion", "No Finding"):
        found = people.targets[:, LABELS.index(label)] == 1
        shares = [(split[found] == name).mean() for name in splits.NAMES]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03), label


@pytest.mark.parametrize("seed", range(10))
def test_images_are_dealt_by_their_rarest_label(seed):
    """The images with the same rarest label have the shares too, to within two images."""
    # Four labels; every image with one of them has all that are more common.
    cells = ["Atelectasis|Effusion|Hernia|Mass"] * 10 + ["Atelectasis|Effusion|Mass"] * 40
    cells += ["Atelectasis|Effusion"] * 100 + ["Atelectasis"] * 200 + ["No Finding"] * 650
    data = data_of(np.arange(len(cells)), cells)
    split = splits.make(data, "patient", seed)
    for cell in set(cells):
        dealt = split[[other == cell for other in cells]]
        for name, share in splits.SHARES.items():
            assert (dealt == name).sum() == pytest.approx(share * len(dealt), abs=2), cell


@pytest.mark.parametrize("seed", range(5))
def test_real_images(nih_folder, seed):
    """On the real images every finding of 20 patients or more is in every set, nobody in two."""
    data = nih.load(nih_folder)
    split = splits.make(data, "patient", seed)
    for k, label in enumerate(LABELS):
        found = data.targets[:, k] == 1
        if data.table.patient[found].nunique() >= 20:
            assert set(split[found]) == set(splits.NAMES), label
    assert splits.shared_images(data, split) == 0


# The release's own test patients ----------------------------------------------------------------


def test_stored_official_patients():
    """The stored list has the 2,797 test patients of the release."""
    stored = splits.official_test_patients()
    assert len(stored) == 2797
    assert all(1 <= int(patient) <= 30805 for patient in stored)


def test_official_by_the_stored_list(people):
    """The test set is the images of the stored patients, all of them and no others."""
    split = splits.make(people, "official", 0)
    expected = people.table.patient.isin(splits.official_test_patients())
    np.testing.assert_array_equal(split == "test", expected)


def test_official_deals_the_rest_7_to_1(people):
    """Of the other images an eighth is chosen by."""
    split = splits.make(people, "official", 0)
    assert (split[split != "test"] == "valid").mean() == pytest.approx(1 / 8, abs=0.02)


def test_official_by_test_list():
    """Where the data bring a test_list.txt, it counts and the stored list does not."""
    patients = np.arange(100, 300)
    chosen = [f"{i:05d}.png" for i in range(40)]
    data = data_of(patients, ["Mass"] * 200, test_list=[*chosen, "not_here.png"])
    split = splits.make(data, "official", 0)
    np.testing.assert_array_equal(split == "test", np.arange(200) < 40)
    assert set(map(str, [100, *range(140, 300)])) & splits.official_test_patients(), (
        "else this shows nothing"
    )


def test_test_list_takes_whole_patients():
    """A patient with one image on the list is tested on with all: people stay together."""
    patients = np.repeat(np.arange(100), 2)
    data = data_of(patients, ["Mass"] * 200, test_list=[f"{i:05d}.png" for i in range(0, 40, 2)])
    split = splits.make(data, "official", 0)
    np.testing.assert_array_equal(split == "test", patients < 20)


# Images dealt one by one -------------------------------------------------------------------------


def test_random_leaks(people):
    """The article's split puts patients of most validation images into training."""
    split = splits.make(people, "random", 0)
    assert splits.shared_images(people, split) > 0.8 * (split == "valid").sum()


@pytest.mark.parametrize(("name", "count"), [("valid", 2), ("test", 1)])
def test_shared_images_counts_images(name, count):
    """Counted are the images of the set, not the patients, that share one with training."""
    data = data_of([1, 1, 1, 2, 3, 3], ["Mass"] * 6)
    split = np.array(["train", "valid", "valid", "valid", "train", "test"])
    assert splits.shared_images(data, split, name) == count
    assert splits.shared_images(data, split) == 2


def test_images_shared_by_validation_and_test_do_not_count():
    """A patient whose images are in these two sets alone taught the model nothing."""
    data = data_of([1, 2, 2, 3, 3], ["Mass"] * 5)
    split = np.array(["train", "valid", "test", "valid", "train"])
    assert splits.shared_images(data, split) == 1
    assert splits.shared_images(data, split, "test") == 0


# splits.csv -------------------------------------------------------------------------------------


def test_file_round_trip(people, tmp_path):
    """What is written is read back image by image."""
    split = splits.make(people, "patient", 0)
    splits.write(tmp_path / "splits.csv", people, split)
    table = splits.read(tmp_path / "splits.csv")
    assert table.columns.tolist() == ["image_index", "patient", "split"]
    assert table.image_index.tolist() == people.table.image.tolist()
    assert table.patient.tolist() == people.table.patient.tolist()
    assert table.split.tolist() == split.tolist()


def test_broken_write_leaves_the_old_file(tmp_path):
    """A write that fails in the middle changes nothing."""
    path = tmp_path / "splits.csv"
    splits.write(path, data_of([1], ["Mass"]), np.array(["train"]))
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        splits.write(path, data_of([1, "H\ud800"], ["Mass"] * 2), np.array(["test", "test"]))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_reused(people, tmp_path):
    """A splits.csv gives the same split again, whatever the seed."""
    split = splits.make(people, "patient", 0)
    splits.write(tmp_path / "splits.csv", people, split)
    again = splits.make(people, str(tmp_path / "splits.csv"), seed=99)
    np.testing.assert_array_equal(again, split)


def test_file_goes_by_patient(people, tmp_path):
    """New images of a known patient go to the patient's set, those of a new patient to training."""
    split = splits.make(people, "patient", 0)
    splits.write(tmp_path / "splits.csv", people, split)
    tested = people.table.patient[split == "test"].iloc[0]
    validated = people.table.patient[split == "valid"].iloc[0]
    more = data_of([tested, 999_999, validated], ["Mass"] * 3)
    made = splits.make(more, str(tmp_path / "splits.csv"), 0)
    assert made.tolist() == ["test", "train", "valid"]


def test_file_of_a_random_split_is_rejected(people, tmp_path):
    """A file that has a patient in two sets cannot say who is unseen."""
    splits.write(tmp_path / "splits.csv", people, splits.make(people, "random", 0))
    with pytest.raises(DataError, match=r"patient \d+ into more than one set"):
        splits.make(people, str(tmp_path / "splits.csv"), 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,who\na.png,1\n", "needs the columns"),
        ("", "needs the columns"),
        ("image_index,patient,split\na.png,,train\n", "without a patient"),
        ("image_index,patient,split\na.png,1,training\n", "other than train, valid, test"),
        ("image_index,patient,split\na.png,1,\n", "other than train, valid, test"),
    ],
)
def test_file_that_is_no_split(people, tmp_path, text, message):
    """A file of another kind is rejected with the reason."""
    (tmp_path / "splits.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        splits.make(people, str(tmp_path / "splits.csv"), 0)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_file_that_cannot_be_read(tmp_path, name):
    """A file that is not there, or is a folder, is named."""
    with pytest.raises(DataError, match="is not a list of splits; it needs the columns"):
        splits.read(tmp_path / name)


def test_unknown_kind(people):
    """A split that is neither known nor a file is named, with what there is."""
    with pytest.raises(DataError, match="'by-luck' is neither one of patient, official, random"):
        splits.make(people, "by-luck", 0)


@pytest.mark.parametrize(("cell", "name"), [("0017", "17"), ("17.0", "17"), ("NA", "NA")])
def test_numbers_are_one_patient_however_written(tmp_path, cell, name):
    """Leading zeros and a decimal point, as spreadsheets add, do not make another patient."""
    (tmp_path / "splits.csv").write_text(f"image_index,patient,split\na.png,{cell},test\n")
    assert splits.read(tmp_path / "splits.csv").patient.tolist() == [name]


@pytest.mark.parametrize("kind", ["patient", "official"])
def test_identifiers_may_be_text(tmp_path, kind):
    """Identifiers such as "H0" are split, written and reused like numbers."""
    patients = [f"H{i // 2}" for i in range(100)]
    tested = [f"{i:05d}.png" for i in range(10)]
    data = data_of(patients, ["Mass"] * 100, test_list=tested)
    split = splits.make(data, kind, 0)
    assert splits.shared_images(data, split) == 0
    splits.write(tmp_path / "splits.csv", data, split)
    again = splits.make(data, str(tmp_path / "splits.csv"), 1)
    np.testing.assert_array_equal(again, split)


# Too little -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["patient", "random"])
@pytest.mark.parametrize("count", [1, 2])
def test_too_few(kind, count):
    """Two images of two patients cannot make three sets: a sentence says so."""
    data = data_of(np.arange(count), ["Mass"] * count)
    with pytest.raises(DataError, match=f"{count} images of {count} patients are too few"):
        splits.make(data, kind, 0)


def test_one_patient():
    """Many images of one patient are still one patient."""
    with pytest.raises(DataError, match="50 images of 1 patients"):
        splits.make(data_of(np.ones(50, int), ["Mass"] * 50), "patient", 0)


@pytest.mark.parametrize("tested", [True, False])
def test_official_without_rest(tested):
    """Data wholly of official test patients, or without any, cannot be split so."""
    stored = sorted(splits.official_test_patients())
    patients = stored[:50] if tested else [10**6 + i for i in range(50)]
    with pytest.raises(DataError, match="train set" if tested else "test set"):
        splits.make(data_of(patients, ["Mass"] * 50), "official", 0)


@pytest.mark.parametrize("seed", range(20))
def test_few_patients_never_leave_a_set_empty(seed):
    """20 patients are enough for three sets, whatever the seed."""
    split = splits.make(data_of(np.arange(20), ["Mass"] * 20), "patient", seed)
    assert set(split) == set(splits.NAMES)


def test_split_of_loaded_data(tmp_path):
    """Data as loaded from a folder are split as they are."""
    data = nih.load(make_nih_folder(tmp_path, make_rows(60)))
    split = splits.make(data, "patient", 0)
    assert set(split) == set(splits.NAMES)
    assert splits.shared_images(data, split) == 0
