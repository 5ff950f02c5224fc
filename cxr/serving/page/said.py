"""Chinese for the English sentences that the program's other parts say.

Those parts write English, for the command line and the API too. What the page shows of it is known
here by its words; where a sentence has values in it, "{}" stands for each, in the same order.
"""

import re
from functools import cache

from cxr.serving.page.text import Text

_SAID = {
    # Reading a film.
    "There is no file {}; check its name.": "没有文件 {}；请检查文件名。",
    "The file {} could not be opened: {}.": "文件 {} 无法打开：{}。",
    "This file is empty; choose the film again.": "此文件是空的；请重新选择胸片。",
    "This file is not a picture that can be read; use PNG, JPEG, TIFF, WebP or BMP.": (
        "此文件不是可以读取的图像；请使用 PNG、JPEG、TIFF、WebP 或 BMP。"
    ),
    "This is a DICOM file, which cannot be read yet; export the film as PNG first.": (
        "这是 DICOM 文件，目前还不能读取；请先将胸片导出为 PNG。"
    ),
    "This file holds several pictures (an animation or many pages); save one film as one "
    "picture.": "此文件含有多幅图像（动画或多页）；请将一张胸片存为一幅图像。",
    "This picture has {}x{} pixels; a film needs at least {} a side.": (
        "此图像为 {}×{} 像素；胸片每边至少需要 {} 像素。"
    ),
    "This picture is too large to be opened on this machine.": "此图像太大，本机无法打开。",
    "This picture has over {} million pixels; save a smaller copy.": (
        "此图像超过 {} 百万像素；请另存为较小的副本。"
    ),
    "This picture is cut off or damaged; send or save the file again.": (
        "此图像不完整或已损坏；请重新发送或保存该文件。"
    ),
    "The file does not say where black and white lie; its own darkest and brightest pixels were "
    "taken.": "文件未说明黑与白的取值；已取其最暗和最亮的像素。",
    "This 16-bit file only uses {} bits; its brightness was scaled to that.": (
        "此 16 位文件只用到 {} 位；亮度已按此缩放。"
    ),
    "See-through parts of this picture were taken as black.": "此图像的透明部分按黑色处理。",
    "This picture is in colour; a radiograph is grey.": "此图像是彩色的；X 线片应为灰度。",
    # Screening.
    "This does not look like a frontal chest film, so no scores are given; choose a whole PA or AP "
    "chest radiograph.": "这看起来不是正位胸片，因此不给出评分；请选择完整的后前位或前后位胸片。",
    "This picture is blank or nearly so; choose a whole PA or AP chest radiograph.": (
        "此图像是空白的或近乎空白；请选择完整的后前位或前后位胸片。"
    ),
    "This picture is unlike most films that the model was trained on (a lateral view, a part of a "
    "film or an unusual exposure would be), so its scores may mean little.": (
        "此图像与模型训练所用的大多数胸片不同（例如侧位片、局部片或曝光异常），评分可能意义不大。"
    ),
    "This film looks inverted; as it is, its scores mean little; swap black and white first.": (
        "此片看起来黑白颠倒；就目前的样子评分意义不大；请先反转黑白。"
    ),
    "This film looks turned; as it is, its scores mean little; turn it a quarter left first.": (
        "此片看起来被旋转过；就目前的样子评分意义不大；请先向左旋转 90 度。"
    ),
    "This film looks upside down; as it is, its scores mean little; turn it by half first.": (
        "此片看起来上下颠倒；就目前的样子评分意义不大；请先旋转 180 度。"
    ),
    "This film looks turned; as it is, its scores mean little; turn it a quarter right first.": (
        "此片看起来被旋转过；就目前的样子评分意义不大；请先向右旋转 90 度。"
    ),
    # Prevalence.
    "The prevalence of {} is given twice; give it once.": "{} 的患病率给了两次；请只给一次。",
    "The prevalence {} is not understood; give 'nih', 'training' or a share such as "
    "'Effusion=0.3'.": ("无法理解患病率 {}；请填写 'nih'、'training' 或如 'Effusion=0.3' 的比例。"),
    "The label {} is not one of the {} known labels: {}.": (
        "标签 {} 不在已知的 {} 个标签之中：{}。"
    ),
    "The prevalence of {} is given as {}; it must be a number between 0 and 1, such as 0.3 for 30 "
    "%.": "{} 的患病率填为 {}；应为 0 到 1 之间的数，例如 0.3 表示 30%。",
    # The model and its answers.
    "A research demo, not for clinical use.": "研究演示，不得用于临床。",
    "A research demo, not for clinical use. A score is a model's estimate at the stated "
    "prevalence, not a finding by a physician, and a low score does not rule out disease.": (
        "研究演示，不得用于临床。评分是模型在所述患病率下的估计，不是医师的判断；"
        "评分低并不排除疾病。"
    ),
    "This model comes from the cache, as the Hub could not be asked; there may be a newer one.": (
        "无法连接 Hub，此模型取自缓存；可能有更新的版本。"
    ),
}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL), chinese)
        for english, chinese in _SAID.items()
    ]


def said(sentence: str) -> Text:
    """A sentence of the program in both languages; one that is not known stays English."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(sentence):
            return Text(sentence, chinese.format(*found.groups()))
    return Text(sentence, sentence)
