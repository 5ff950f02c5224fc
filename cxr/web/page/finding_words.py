"""The findings' names and sentences in both languages; the English ones are those of cxr_labels."""

import cxr_labels
from cxr.web.page.text import Text

_CHINESE = {
    "Atelectasis": ("肺不张", "部分肺组织失去充气而缩小。"),
    "Cardiomegaly": ("心影增大", "心脏轮廓比预期的大。"),
    "Effusion": ("胸腔积液", "肺与胸壁之间有液体积聚。"),
    "Infiltration": ("浸润", "肺内的模糊阴影，由比空气致密的物质（如液体或细胞）形成。"),
    "Mass": ("肿块", "肺内直径大于 3 厘米的阴影。"),
    "Nodule": ("结节", "肺内小的圆形阴影，直径不超过 3 厘米。"),
    "Pneumonia": ("肺炎", "与肺部感染相符的征象。"),
    "Pneumothorax": ("气胸", "空气漏入肺与胸壁之间，肺可能已经萎陷。"),
    "Consolidation": ("实变", "一片肺组织内充满液体或其他物质，而不是空气。"),
    "Edema": ("肺水肿", "肺内有液体积聚，常因心脏泵血无力。"),
    "Emphysema": ("肺气肿", "肺内细小的气囊受损并过度充气。"),
    "Fibrosis": ("纤维化", "瘢痕使肺组织变厚、变硬。"),
    "Pleural_Thickening": ("胸膜增厚", "包裹肺的胸膜变厚。"),
    "Hernia": ("疝", "腹腔器官（常为胃）经膈肌突入胸腔。"),
    "No Finding": ("未见所列征象", "报告中未提及这 14 种征象中的任何一种；这并不排除疾病。"),
}


def finding(label: str) -> Text:
    """A finding's name as people read it. Raises KeyError if the label is unknown."""
    return Text(cxr_labels.DISPLAY[label], _CHINESE[label][0])


def sentence(label: str) -> Text:
    """What a finding is, in one plain sentence. Raises KeyError if the label is unknown."""
    return Text(cxr_labels.TABLE[cxr_labels.index(label)].sentence, _CHINESE[label][1])
