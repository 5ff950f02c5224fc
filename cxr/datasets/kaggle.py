"""Downloads data sets from Kaggle (`kaggle:OWNER/NAME`) with Kaggle's own client, an extra.

The client keeps its downloads in $KAGGLEHUB_CACHE, else ~/.cache/kagglehub, and resumes interrupted
ones.
"""

import re
import zipfile
import zlib
from pathlib import Path

from cxr.datasets.files import DataError

PREFIX = "kaggle:"
_HANDLE = re.compile(r"[\w-]+/[\w-]+(/versions/[1-9]\d*)?", re.ASCII)


def locate(data: Path) -> Path:
    """Downloads `kaggle:OWNER/NAME`.

    Returns:
        The folder of the download; any other `data` as it is.

    Raises:
        DataError: The name, the client, the credentials or the network does not work.
    """
    name = data.as_posix()
    if not name.startswith(PREFIX):
        return data
    handle = name.removeprefix(PREFIX)
    if not _HANDLE.fullmatch(handle):
        raise DataError(
            f"{name!r} is not a data set on Kaggle; it should read {PREFIX}OWNER/NAME, such as "
            f"{PREFIX}nih-chest-xrays/sample."
        )
    try:
        import kagglehub  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{name!r} needs Kaggle's client; run `pip install -r requirements-kaggle.txt`, or "
            "download the data yourself and name its folder or zip."
        ) from error
    return _download(handle)


def _download(handle: str) -> Path:
    import kagglehub
    import requests
    from kagglehub import config, exceptions

    try:
        known = config.get_kaggle_credentials() is not None
    except ValueError as error:
        raise DataError(
            "Your kaggle.json cannot be read; make a new token on kaggle.com/settings/api."
        ) from error
    try:
        return Path(kagglehub.dataset_download(handle))
    except exceptions.KaggleApiHTTPError as error:
        raise DataError(_rejection(handle, error.response.status_code, known)) from error
    except requests.RequestException as error:
        raise DataError(
            "Kaggle cannot be reached, or the connection broke; check the network, then try again."
        ) from error
    except (exceptions.DataCorruptionError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        owner, name = handle.split("/")[:2]
        kept = Path(config.get_cache_folder(), "datasets", owner, name)
        raise DataError(
            f"What came from Kaggle is damaged; delete {str(kept)!r}, then try again."
        ) from error


def _rejection(handle: str, status: int, known: bool) -> str:
    """The message for a response with an error status. known: whether there are credentials."""
    if status in (401, 403) and not known:
        return (
            f"Kaggle wants to know who asks for {handle!r}; make a token on "
            "kaggle.com/settings/api, and set KAGGLE_API_TOKEN to it."
        )
    if status == 401:
        return (
            "Kaggle does not accept your credentials; make a new token on kaggle.com/settings/api."
        )
    if status == 403:
        return (
            f"Kaggle has no {handle!r} for you; check the name, or accept its terms on "
            f"kaggle.com/datasets/{handle}."
        )
    if status == 404:
        return f"Kaggle has no data set {handle!r}; check the name."
    return f"Kaggle is not able to answer just now (status {status}); try again later."
