"""Chinese for the English sentences that the program's other parts say.

Those parts write English, for the command line and the API too. What the page shows of it is known
here by its words; where a sentence has values in it, "{}" stands for each, in the same order.
"""

import re
from functools import cache

from cxr.web.page.text import Text

_SENTENCES = {
    # Reading an image.
    "There is no file {}; check its name.": "没有文件 {}；请检查文件名。",
    "The file {} could not be opened: {}.": "文件 {} 无法打开：{}。",
    "This file is empty; choose the image again.": "此文件是空的；请重新选择胸片。",
    "This file contains several images (an animation or several pages); save one image as a file "
    "of its own.": "此文件含有多幅图像（动画或多页）；请将一张胸片存为一幅图像。",
    "This image has {}x{} pixels; an image needs at least {} a side.": (
        "此图像为 {}×{} 像素；胸片每边至少需要 {} 像素。"
    ),
    "This image is too large to be opened on this machine.": "此图像太大，本机无法打开。",
    "This image has over {} million pixels; save a smaller copy.": (
        "此图像超过 {} 百万像素；请另存为较小的副本。"
    ),
    "This image is cut off or damaged; send or save the file again.": (
        "此图像不完整或已损坏；请重新发送或保存该文件。"
    ),
    "This file does not say which values are black and white; its darkest and brightest pixels "
    "were used.": "文件未说明黑与白的取值；已取其最暗和最亮的像素。",
    "This 16-bit file uses only {} bits; its brightness was scaled to them.": (
        "此 16 位文件只用到 {} 位；亮度已按此缩放。"
    ),
    "Transparent parts of this image are shown as black.": "此图像的透明部分按黑色处理。",
    "This image is in colour; a chest X-ray is grey.": "此图像是彩色的；X 线片应为灰度。",
    "This file is not an image that can be read; use PNG, JPEG, TIFF, WebP, BMP or DICOM.": (
        "此文件不是可以读取的图像；请使用 PNG、JPEG、TIFF、WebP、BMP 或 DICOM。"
    ),
    "An array of {} {} is not an image; use uint8 or uint16 [height, width], or uint8 "
    "[height, width, 3].": (
        "{} {} 数组不是图像；请使用 uint8 或 uint16 的 [高, 宽]，或 uint8 的 [高, 宽, 3]。"
    ),
    # DICOM.
    "This DICOM file is {}, not a chest X-ray; choose a chest X-ray.": (
        "此 DICOM 文件是{}，不是胸片；请选择 X 线片。"
    ),
    "This DICOM file contains several images; save one image as a file of its own.": (
        "此 DICOM 文件含有多幅图像；请将一张胸片存为一个文件。"
    ),
    "This DICOM file is in colour; a chest X-ray is grey.": (
        "此 DICOM 文件是彩色的；X 线片应为灰度。"
    ),
    "This DICOM file does not store its pixels in 8 to 16 bits; save it as PNG.": (
        "此 DICOM 文件的像素不是 8 至 16 位；请另存为 PNG。"
    ),
    "This is a DICOMDIR, the table of contents of a disk; choose an image on the disk.": (
        "这是 DICOMDIR，即 DICOM 光盘的目录；请选择光盘上的一张胸片。"
    ),
    "This DICOM file is a written report, not an image; choose the image.": (
        "此 DICOM 文件是文字报告，不是图像；请选择胸片。"
    ),
    "This DICOM file contains no image, or was cut off before it.": (
        "此 DICOM 文件不含图像，或在图像之前即被截断。"
    ),
    "This DICOM file is compressed in a way (its transfer syntax) that cannot be read; save it "
    "uncompressed, or as PNG.": (
        "此 DICOM 文件的压缩方式（传输语法）无法读取；请存为未压缩格式或 PNG。"
    ),
    "This DICOM file does not say that it is an X-ray image.": "文件未说明它是 X 线片。",
    "This file contains the raw values of a detector, not an image made for viewing; the model was "
    "not trained on such files.": (
        "文件存的是探测器的原始数值，而不是供阅片的图像；模型并非为此而建。"
    ),
    "This file says that it is a lateral view; the model was trained on frontal views.": (
        "文件说明这是侧位片；模型是为正位片而建的。"
    ),
    "This file contradicts itself on whether bone is white; check the image.": (
        "文件对骨骼是否为白色的说明自相矛盾；请核对图像。"
    ),
    "The pixels of this image are not square, so it appears stretched or squeezed.": (
        "此片的像素不是正方形，因此显示时被压缩变形。"
    ),
    "The brightness settings of this file would hide the image; {}": (
        "按文件所述的亮度将看不见图像；{}"
    ),
    "This file has no brightness settings; {}": ("文件未说明应以何种亮度显示；{}"),
    # Input check.
    "This does not look like a frontal chest X-ray, so no scores are given; choose a whole PA or "
    "AP chest radiograph.": (
        "这看起来不是正位胸片，因此不给出评分；请选择完整的后前位或前后位胸片。"
    ),
    "This image is blank or nearly so; choose a whole PA or AP chest radiograph.": (
        "此图像是空白的或近乎空白；请选择完整的后前位或前后位胸片。"
    ),
    "This image is unlike most images that the model was trained on (a lateral view, part of an "
    "image or an unusual exposure would be), so its scores may mean little.": (
        "此图像与模型训练所用的大多数胸片不同（例如侧位片、局部片或曝光异常），评分可能意义不大。"
    ),
    "This image looks inverted; as it is, its scores mean little; swap black and white first.": (
        "此片看起来黑白颠倒；就目前的样子评分意义不大；请先反转黑白。"
    ),
    "This image looks turned; as it is, its scores mean little; turn it a quarter left first.": (
        "此片看起来被旋转过；就目前的样子评分意义不大；请先向左旋转 90 度。"
    ),
    "This image looks upside down; as it is, its scores mean little; turn it by half first.": (
        "此片看起来上下颠倒；就目前的样子评分意义不大；请先旋转 180 度。"
    ),
    "This image looks turned; as it is, its scores mean little; turn it a quarter right first.": (
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
    "The prevalence {} is not understood; write shares with a decimal point, such as "
    "'Effusion=0.3'.": "无法理解患病率 {}；小数请用点号，例如 'Effusion=0.3'。",
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

# What may stand for a "{}".
_VALUES = {
    "a CT scan": "CT 扫描",
    "an MRI scan": "磁共振扫描",
    "an ultrasound image": "超声图像",
    "a PET scan": "PET 扫描",
    "a nuclear medicine scan": "核医学扫描",
    "a mammogram": "乳腺 X 线片",
    "an angiogram": "血管造影",
    "a fluoroscopy image": "透视图像",
    "a dental image": "牙片",
    "a panoramic dental image": "牙科全景片",
    "an endoscopy image": "内镜图像",
    "a microscopy image": "显微镜图像",
    "a photograph of an eye": "眼部照片",
    "a scan of an eye": "眼部扫描",
    "a photograph": "照片",
    "a segmentation": "分割图",
    "a bone density scan": "骨密度扫描",
    "a radiotherapy image": "放射治疗图像",
    "a radiotherapy dose plan": "放射治疗计划",
    "from another kind of examination": "来自另一种检查的文件",
    "its own darkest and brightest parts were used instead.": "已按其自身最暗和最亮的部分缩放。",
    "its values were used unchanged.": "已直接采用其数值。",
}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL), chinese)
        for english, chinese in _SENTENCES.items()
    ]


def translated(sentence: str) -> Text:
    """A sentence of the program in both languages; one that is not known stays English."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(sentence):
            values = (_VALUES.get(value, value) for value in found.groups())
            return Text(sentence, chinese.format(*values))
    return Text(sentence, sentence)
