"""Copies a finished run to the folder of the starter, which the repository carries.

    python -m cxr.training.starter runs/starter models/starter

Only files that `model_folder.FILES` marks as committed are copied: no pickle, no file that shows
images, nothing that only describes the run.
"""

import shutil
import sys
from pathlib import Path

from cxr.model import model_folder


def replace_starter(run: Path, starter: Path) -> None:
    """Replaces the folder `starter` by the committed files of a finished run.

    Raises:
        ModelFolderError: The run is not a complete model folder.
    """
    config = model_folder.load(run)
    names = [name for name in model_folder.present(run) if model_folder.is_committed(name)]
    model_folder.check_published(config, names, str(run))
    fresh = starter.with_name(starter.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in names:
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, fresh / name)
    shutil.rmtree(starter, ignore_errors=True)
    fresh.rename(starter)


if __name__ == "__main__":
    replace_starter(Path(sys.argv[1]), Path(sys.argv[2]))
