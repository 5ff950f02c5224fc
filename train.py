"""Train a chest X-ray model on NIH ChestX-ray14 and write its model folder.

    python train.py --data sample.zip
    python train.py --data sample/ --boxes BBox_List_2017.csv --output runs/sample
    python train.py --data nih/ --split official --arch densenet121 --image-size 384
    python train.py --data sample.zip --push-to-hub OWNER/NAME --private
    python train.py --data kaggle:nih-chest-xrays/sample
    python train.py --data sample.zip --output runs/sample --resume
    python train.py --data sample.zip --output runs/sample --overwrite
    accelerate launch train.py --data nih/

--data is the Kaggle sample, the full release, a zip of either, or its name on Kaggle. A run decodes
every image once into a cache (in $CXR_CACHE, else ~/.cache/cxr), fine-tunes, exports, measures the
exported file on the test patients, and writes the model folder --output. Until that is complete,
the run works in a folder of the same name with ".partial" at its end. docs/training.md describes
training on other machines and on several GPUs.

Exit status: 0 when the run is complete, 1 when it stopped, 2 for wrong usage, 3 when the model
folder is complete but could not be pushed to the Hub; the command that pushes it is printed.
"""

import argparse
import sys
import warnings
from dataclasses import MISSING, fields
from datetime import datetime
from pathlib import Path

from cxr.cli import arguments
from cxr.cli.environment import requires

with requires("requirements-train.txt"):
    from cxr.datasets.splits import KINDS
    from cxr.model import publish
    from cxr.training.settings import ARTICLE, DEFAULT, RECIPES, Settings

PUSH_FAILED = 3  # the exit status

_DEFAULTS = {
    field.name: field.default for field in fields(Settings) if field.default is not MISSING
}


def main(command_line: list[str] | None = None) -> int:
    """Runs one training; returns the exit status."""
    with requires("requirements-train.txt"):
        return _main(parse(command_line))


def _main(settings: Settings) -> int:
    # fastai uses torch.jit.script, which is deprecated; users can do nothing about it.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
    # Not at the top: the processes that decode images import this file too, but do not need torch.
    from cxr.training import distributed, run

    pushed = settings.push_to_hub if distributed.is_main() else None
    if pushed and (warning := publish.warning(pushed)):
        print(f"Warning: {warning}", file=sys.stderr)
    try:
        run.train(settings)
        if pushed and not publish.send(settings.output, pushed, settings.private):
            return PUSH_FAILED
    except (ValueError, OSError, run.ExportError) as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "Stopped by you; decoded images and finished epochs are kept. Resume with "
            f"--output {settings.output} --resume.",
            file=sys.stderr,
        )
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="DIR_OR_ZIP",
        help="images and label table; or kaggle:OWNER/NAME",
    )
    add("--output", type=Path, metavar="DIR", help="model folder (default: runs/DATE-TIME)")
    add(
        "--arch",
        metavar="NAME",
        help="timm backbone with features at strides 16 and 32 (default: %(default)s)",
    )
    add(
        "--image-size",
        type=arguments.whole_number(64, 2048),
        metavar="S",
        help="side of the network's square input in pixels (default: %(default)s)",
    )
    add(
        "--epochs",
        type=arguments.whole_number(0, 1000),
        metavar="N",
        help="epochs that train backbone and head (default: %(default)s)",
    )
    add(
        "--freeze-epochs",
        type=arguments.whole_number(0, 1000),
        metavar="N",
        help="epochs of the head alone, before the others (default: %(default)s)",
    )
    add(
        "--lr",
        type=arguments.learning_rate,
        metavar="auto|X",
        help="learning rate of the head; auto uses fastai's finder (default: auto)",
    )
    add(
        "--split",
        metavar="|".join(KINDS),
        help="how images are split into training, validation and test set, or the splits.csv of an "
        "earlier run (default: patient; random with --recipe article)",
    )
    add(
        "--recipe",
        choices=tuple(RECIPES),
        help="article: as in the 2021 article, with fastai's own augmentation, flips included, and "
        "one threshold for all labels (default: %(default)s)",
    )
    add(
        "--thresholds",
        type=arguments.threshold_rule,
        metavar="youden|f1|accuracy|sensitivity=X",
        help="the rule that chooses thresholds on the validation images (default: youden; accuracy "
        "with --recipe article)",
    )
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="BBox_List_2017.csv: boxes of findings, which train and test the heatmaps",
    )
    add(
        "--start",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="model folders whose averaged weights the training starts from (default: ImageNet's "
        "weights); with 0 epochs of both kinds the average itself is measured",
    )
    add(
        "--mirror",
        action="store_true",
        help="mirror half of the training images: the heatmaps become more precise, but the "
        "network learns less about differences between left and right",
    )
    add(
        "--seed",
        type=arguments.whole_number(0, 2**32 - 1),
        metavar="N",
        help="seed of split and training (default: %(default)s)",
    )
    add(
        "--resume",
        action="store_true",
        help="resume the interrupted training of --output after its last finished epoch; the other "
        "options must be the same",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace the finished model in --output when the new one is complete",
    )
    add(
        "--push-to-hub",
        type=arguments.hub_repository,
        metavar="OWNER/NAME",
        help="publish the finished model folder there on the Hugging Face Hub",
    )
    add(
        "--private",
        action="store_true",
        help="with --push-to-hub: make a new repository private",
    )
    by_recipe = dict.fromkeys(RECIPES[DEFAULT])  # None: taken from the recipe later
    parser.set_defaults(**_DEFAULTS | by_recipe)
    return parser


def parse(command_line: list[str] | None = None) -> Settings:
    """Reads the command line, by default that of the process; wrong usage raises SystemExit."""
    parser = _parser()
    options = parser.parse_args(command_line)
    options.start = tuple(options.start)
    for name, value in RECIPES[options.recipe].items():
        setattr(options, name, getattr(options, name) or value)
    if options.epochs + options.freeze_epochs == 0 and not options.start:
        parser.error("--epochs and --freeze-epochs are both 0: there is nothing to train")
    if options.private and not options.push_to_hub:
        parser.error("--private belongs to --push-to-hub, which is not given")
    if options.mirror and options.recipe == ARTICLE:
        parser.error(
            "--mirror belongs to the default recipe; that of the article mirrors images anyway"
        )
    if options.resume and not options.output:
        parser.error("--resume continues the run in --output, which is not given")
    options.output = options.output or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}"
    return Settings(**vars(options))


if __name__ == "__main__":
    sys.exit(main())
