"""Takes over a finished run as the starter that the repository carries.

    python -m cxr.training.starter runs/starter models/starter

Leaves out what may not be committed (the pickle, the report and every figure that shows images) and
what the page does not need (the run's logs and its held-out predictions).
"""

import shutil
import sys
from pathlib import Path

from cxr.model import model_folder
from cxr.model.config import write_config

FILES = (
    model_folder.ONNX,
    model_folder.SAFETENSORS,
    model_folder.SPLITS,
    model_folder.METRICS,
    model_folder.CARD,
    model_folder.INPUT_CHECK,
)


def take_over(run: Path, starter: Path) -> None:
    """Replaces the folder `starter` by the files of the finished run that may be committed.

    Raises ModelFolderError when the run is not a complete model folder.
    """
    config = model_folder.load(run)
    fresh = starter.with_name(starter.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / model_folder.FIGURES).mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(run / name, fresh / name)
    for figure in sorted((run / model_folder.FIGURES).glob("*.png")):
        if figure.name != model_folder.BATCH:
            shutil.copyfile(figure, fresh / model_folder.FIGURES / figure.name)
    write_config(fresh / model_folder.CONFIG, config)
    shutil.rmtree(starter, ignore_errors=True)
    fresh.rename(starter)


if __name__ == "__main__":
    take_over(Path(sys.argv[1]), Path(sys.argv[2]))
