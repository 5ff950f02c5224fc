"""Data sets from Kaggle: its real client against a stand-in, and the sentence on each failure."""

import sys
from pathlib import Path

import pytest
from kagglesdk import kaggle_env
from support import kaggle_standin
from support.images import Row, make_nih_folder, make_release_folder, make_zip

import train
from cxr.datasets import kaggle, nih
from cxr.datasets.files import DataError

SAMPLE = "nih-chest-xrays/sample"
ROWS = [Row(f"{k:08d}_000.png", "Effusion" if k % 2 else "No Finding", k) for k in range(1, 9)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home of its own for the client, with neither credentials nor downloads."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(home / "cache"))
    return home


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Kaggle that has the sample, and the client turned to it."""
    folder = make_nih_folder(tmp_path / "images", ROWS)
    archive = make_zip(tmp_path / "sample.zip", folder, "sample/").read_bytes()
    with kaggle_standin.running({SAMPLE: archive}) as server:
        endpoints = kaggle_env._env_to_endpoint
        monkeypatch.setitem(endpoints, kaggle_env.KaggleEnv.PROD, server.address)
        yield server


def located(name: str = SAMPLE) -> Path:
    """Where the data set lies, downloaded."""
    return kaggle.locate(Path(f"kaggle:{name}"))


def test_sample_is_downloaded_and_read(server, home):
    """The sample goes on as a folder: all its images and labels are found."""
    folder = located()
    assert folder.is_relative_to(home)
    assert nih.load(folder).table.image.tolist() == [row.image for row in ROWS]


def test_full_release_is_downloaded_and_read(server, tmp_path):
    """nih-chest-xrays/data lays its images out over images_001/images/ and so on."""
    images = make_release_folder(tmp_path / "release", ROWS)
    server.archives["nih-chest-xrays/data"] = make_zip(tmp_path / "data.zip", images).read_bytes()
    folder = located("nih-chest-xrays/data")
    assert {path.name for path in folder.iterdir()} == {
        "images_001",
        "images_002",
        "Data_Entry_2017.csv",
    }
    assert len(nih.load(folder).table) == len(ROWS)


def test_what_was_downloaded_is_taken_again(server):
    """A second run downloads nothing; with the version named, it does not even ask."""
    located()
    server.requests.clear()
    located()
    assert server.requests == ["GetDataset"]
    located(f"{SAMPLE}/versions/{kaggle_standin.VERSION}")
    assert server.requests == ["GetDataset"]


def test_download_that_broke_goes_on(server):
    """A connection that breaks is said in a sentence; the next run fetches the rest alone."""
    server.cut = True
    with pytest.raises(DataError, match=r"^Kaggle cannot be reached, or the connection broke;"):
        located()
    server.requests.clear()
    assert len(nih.load(located()).table) == len(ROWS)
    assert server.requests == ["GetDataset", "DownloadDataset", "rest"]


def test_credentials_are_used(server, monkeypatch):
    """The user's token opens what is closed without it."""
    server.closed = True
    monkeypatch.setenv("KAGGLE_API_TOKEN", kaggle_standin.TOKEN)
    assert located().is_dir()


def test_other_data_is_left_as_it_is(tmp_path):
    """A folder or zip is not asked of Kaggle, whatever it is called."""
    for data in (tmp_path, Path("sample.zip"), Path("kaggle")):
        assert kaggle.locate(data) == data


@pytest.mark.parametrize(
    "name",
    ["", "sample", "a/b/c", "nih/../x", "nih/sample/versions/x", "nih/sample/versions/0", "a b/c"],
)
def test_wrong_name_is_said_so(name):
    """What is no name of a data set is not asked of Kaggle."""
    with pytest.raises(DataError, match=r"it should read kaggle:OWNER/NAME, such as kaggle:nih"):
        located(name)


def test_missing_client_is_said_so(monkeypatch):
    """Without the client: how to install it."""
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError, match=r"run `pip install -r requirements-kaggle.txt`, or"):
        located()


def test_no_network_is_said_so(server, monkeypatch):
    """With nobody at the address: check the network."""
    nobody = "http://127.0.0.1:9"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, nobody)
    with pytest.raises(DataError, match=r"^Kaggle cannot be reached.*; check the network"):
        located()


@pytest.mark.parametrize(
    ("token", "state", "words"),
    [
        ("", {"closed": True}, "wants to know who asks .* set KAGGLE_API_TOKEN to it"),
        ("", {"status": 401}, "wants to know who asks .* set KAGGLE_API_TOKEN to it"),
        ("KGAT_wrong", {}, "does not accept your credentials; make a new token"),
        (
            kaggle_standin.TOKEN,
            {"status": 403},
            f"accept its terms on kaggle.com/datasets/{SAMPLE}",
        ),
        ("", {"archives": {}}, f"has no data set '{SAMPLE}'; check the name"),
        ("", {"status": 503}, r"not able to answer just now \(status 503\); try again later"),
        (
            "",
            {"damaged": True},
            r"is damaged; delete '.*/home/cache/datasets/nih-chest-xrays/sample', then try again",
        ),
        ("", {"archives": {SAMPLE: b"no zip"}}, r"came from Kaggle is damaged; delete"),
    ],
    ids=["closed", "unknown", "wrong", "terms", "no such", "away", "damaged", "no zip"],
)
def test_rejection_is_one_sentence(server, monkeypatch, token, state, words):
    """Each way in which Kaggle rejects has a sentence that says what to do."""
    if token:
        monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    for name, value in state.items():
        setattr(server, name, value)
    with pytest.raises(DataError, match=words) as rejected:
        located()
    assert str(rejected.value).count(". ") == 0


def test_damaged_version_is_named_by_its_folder(server):
    """The folder to delete is the data set's, also where a version was asked for."""
    server.damaged = True
    with pytest.raises(DataError, match=r"delete '.*/datasets/nih-chest-xrays/sample', then"):
        located(f"{SAMPLE}/versions/{kaggle_standin.VERSION}")


def test_broken_credentials_are_said_so(server, home):
    """A kaggle.json that is no JSON is named."""
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text("{")
    with pytest.raises(DataError, match=r"kaggle.json cannot be read; make a new token"):
        located()


def test_training_stops_with_the_sentence(server, tmp_path, capsys):
    """train.py prints it, exits with 1, and leaves no model folder."""
    output = tmp_path / "model"
    assert train.main(["--data", "kaggle:nih-chest-xrays/smaple", "--output", str(output)]) == 1
    assert capsys.readouterr().err.startswith("Stopped: Kaggle has no data set")
    assert not output.exists()
