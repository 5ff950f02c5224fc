"""All words of the page, in English and in Chinese.

Words that stand still (labels, headings) go to Gradio as markers, which its front end translates.
Words that are made here with figures in them go out in both languages, and the style sheet shows
the one that the page is in: switching needs no answer of the server.
"""

import html
import re
from dataclasses import dataclass

import gradio as gr

from cxr.serving.analysis import DISCLAIMER

ENGLISH, CHINESE = "en", "zh-CN"


@dataclass(frozen=True)
class Text:
    """The same words in both languages; plain text, not HTML."""

    en: str
    zh: str

    def filled(self, **values: "str | Text") -> "Text":
        """With values put in their places, each in its language."""
        return Text(
            self.en.format(**{k: v if isinstance(v, str) else v.en for k, v in values.items()}),
            self.zh.format(**{k: v if isinstance(v, str) else v.zh for k, v in values.items()}),
        )

    def in_language(self, language: str) -> str:
        """The words in one language; language: as of an HTML document, English where unknown."""
        return self.zh if language.lower().startswith("zh") else self.en

    @property
    def html(self) -> str:
        """Both languages, escaped; the style sheet shows one (`LANGUAGE_CSS`)."""
        return "".join(
            f'<span lang="{language}">{html.escape(words)}</span>'
            for language, words in ((ENGLISH, self.en), (CHINESE, self.zh))
        )


# Gradio keeps the page's language in the document's own `lang`.
LANGUAGE_CSS = """
html:not([lang^="zh"]) span[lang="zh-CN"], html[lang^="zh"] span[lang="en"] { display: none; }
"""

TEXTS: dict[str, Text] = {
    "film": Text("Chest film", "胸片"),
    "one_film": Text("One film", "单张胸片"),
    # Files to keep.
    "take_report": Text("Report to print", "可打印的报告"),
    "take_overlay": Text("Evidence (PNG)", "依据图（PNG）"),
    "take_csv": Text("Table (CSV)", "表格（CSV）"),
    "take_json": Text("Data (JSON)", "数据（JSON）"),
    # Several films.
    "several_films": Text("Several films", "多张胸片"),
    "films": Text("Chest films", "胸片"),
    "batch_prevalence": Text("State the scores at the prevalence of", "按以下患病比例给出评分"),
    "batch_prevalence_info": Text(
        "nih, training, or your own shares, such as Effusion=0.3, Mass=0.1",
        "nih、training，或自定比例，例如 Effusion=0.3, Mass=0.1",
    ),
    "batch_start": Text("Answer for these films", "为这些胸片作答"),
    "batch_stop": Text("Stop", "停止"),
    "batch_csv": Text("Save the table (CSV)", "保存表格（CSV）"),
}

TAKE_AWAY = Text("Take away", "保存结果")

# Several films (cxr/serving/page/several_films.py).
BATCH: dict[str, Text] = {
    "how": Text(
        "Choose or drop up to {most} films. Each is answered by itself; a file that cannot be read "
        "does not stop the others. No file is kept for longer than an hour.",
        "选择或拖入最多 {most} 张胸片。逐张作答；某个文件无法读取不影响其他文件。"
        "文件保留不超过一小时。",
    ),
    "waiting": Text("Waiting for its turn…", "正在排队……"),
    "no_films": Text("Choose some films first.", "请先选择胸片。"),
    "progress": Text("{done} of {all} films", "{all} 张胸片中已完成 {done} 张"),
    "done": Text(
        "Done: {answered} of {all} films have scores.",
        "完成：{all} 张胸片中有 {answered} 张给出评分。",
    ),
    "stopped": Text(
        "Stopped. What was answered until then stands below.", "已停止。此前的结果见下表。"
    ),
    "too_many": Text(
        "At most {most} films are answered at once: these are the first {most} of {all}; choose "
        "the others afterwards.",
        "一次最多为 {most} 张胸片作答：以下是 {all} 张中的前 {most} 张；其余请随后再选。",
    ),
    "caption": Text(
        "Findings that reached their thresholds, film by film, with scores at the prevalence: "
        "{stated}",
        "逐片列出达到阈值的征象；评分所按的患病比例：{stated}",
    ),
    "file": Text("File", "文件"),
    "findings": Text("Reached the threshold", "达到阈值"),
    "notes": Text("Notes", "说明"),
    "none": Text(
        "No finding reached its threshold; the highest score: {highest}.",
        "没有征象达到阈值；最高评分：{highest}。",
    ),
    "more": Text("and {count} more", "另有 {count} 项"),
    "refused": Text("No scores.", "未评分。"),
}

# The report of one film (cxr/serving/report.py), which is in one language.
REPORT: dict[str, Text] = {
    "title": Text("Findings on a chest film", "胸片征象报告"),
    "disclaimer": Text(
        DISCLAIMER,
        "研究演示，不供临床使用。评分是模型在所注明患病比例下的估计，不是医师的结论；评分低并不能排除"
        "疾病。",
    ),
    "file": Text("File", "文件"),
    "made": Text("Made (UTC)", "生成时间（UTC）"),
    "film": Text("The film as read", "读入的胸片"),
    "film_size": Text("{width} × {height} pixels", "{width} × {height} 像素"),
    "film_alt": Text("The chest film as read.", "读入的胸片。"),
    "reached": Text("Findings that reached their thresholds", "达到阈值的征象"),
    "none_reached": Text(
        "No finding reached its threshold. This does not rule out disease.",
        "没有征象达到阈值。这并不能排除疾病。",
    ),
    "reached_one": Text("{score}, threshold {threshold}", "{score}，阈值 {threshold}"),
    "warnings": Text("What looked odd", "异常提示"),
    "meaning_title": Text("What the scores mean", "评分的含义"),
    "meaning": Text(
        "Each score is the model's estimate that the finding would be in the film's report, if "
        "films came in the mix of {mix}. Thresholds are stated in the same mix; what reaches its "
        "threshold is the same at every prevalence.",
        "每个评分是模型的估计：若胸片按{mix}的构成出现，该征象会写入这张胸片报告的概率。阈值按同样的构成"
        "给出；是否达到阈值与所选患病比例无关。",
    ),
    "mix_nih": Text("NIH's 112,120 films", "NIH 的 112,120 张胸片"),
    "mix_training": Text("the films that the model was trained on", "模型训练所用胸片"),
    "mix_own": Text(
        "NIH's 112,120 films, but with {stated}", "NIH 的 112,120 张胸片（但 {stated}）"
    ),
    "all": Text("All 15 labels, most likely first", "全部 15 个标签（按评分排序）"),
    "finding": Text("Finding", "征象"),
    "score": Text("Score", "评分"),
    "threshold": Text("Threshold", "阈值"),
    "is_reached": Text("Reached", "达到"),
    "prevalence": Text("Stated prevalence", "所注明的患病比例"),
    "yes": Text("yes", "是"),
    "no": Text("no", "否"),
    "none": Text("none", "无"),
    "never": Text("never flagged", "不作标记"),
    "where": Text("Where the evidence lies", "依据所在位置"),
    "legend": Text(
        "The brighter the orange, the more that place spoke for the finding, compared with the "
        "rest of this film; the box frames its peak. The brightness does not show how likely the "
        "finding is.",
        "橙色越亮，表示与本片其余部分相比，该处越支持该征象；方框标出其峰值。亮度并不表示该征象的可能"
        "性大小。",
    ),
    "highest": Text(
        "No finding reached its threshold; the one with the highest score is shown.",
        "没有征象达到阈值；此处显示评分最高的征象。",
    ),
    "evidence_alt": Text(
        "The film with the evidence for {finding} in orange, brightest at its peak, and a box "
        "around it.",
        "胸片上以橙色显示“{finding}”的依据，峰值处最亮，并以方框标出。",
    ),
    "pointing_one": Text(
        "When measured on {boxes} boxes of this finding, the brightest point lay in the "
        "radiologists' box in {model}{control}.",
        "在该征象的 {boxes} 个方框上测量时，最亮点落在放射科医师所画方框内的比例为 "
        "{model}{control}。",
    ),
    "pointing_control": Text(
        "; one and the same place on every film reached {control}",
        "；若每张胸片都指向同一位置，则为 {control}",
    ),
    "pointing_unknown": Text(
        "For this finding it was not measured how often such boxes are right.",
        "该征象的方框准确率未经测量。",
    ),
    "measured": Text("How often such boxes were right when measured", "此类方框经测量的准确率"),
    "measured_on": Text(
        "On {boxes} boxes that radiologists drew on test films, beside two answers that never look "
        "at the film. 95 % intervals in brackets.",
        "在测试胸片上放射科医师所画的 {boxes} 个方框上测量，并与两种不看胸片的答案对照。括号内为 "
        "95 % 区间。",
    ),
    "not_measured": Text(
        "This model's folder does not say how often such boxes were right.",
        "该模型未提供此类方框的准确率。",
    ),
    "answer": Text("Share of boxes", "方框比例"),
    "of_model": Text("This model", "本模型"),
    "of_constant": Text("The same place on every film", "每片同一位置"),
    "of_random": Text("A random place", "随机位置"),
    "pointing": Text(
        "The brightest point lies in the radiologists' box", "最亮点落在医师所画方框内"
    ),
    "overlap": Text(
        "The box overlaps the radiologists' box by over half (IoU > 0.5)",
        "方框与医师所画方框重叠过半（IoU > 0.5）",
    ),
    "interval": Text(" ({low} to {high})", "（{low} 至 {high}）"),
    "model_title": Text("The model", "模型"),
    "model": Text("Name", "名称"),
    "commit": Text("Commit", "提交"),
    "no_commit": Text("from a folder, without a commit", "来自本地文件夹，无提交号"),
    "network": Text("Network", "网络"),
    "auroc": Text("Mean AUROC on held-out films", "留出胸片上的平均 AUROC"),
    "auroc_leaky": Text(
        "Mean AUROC on held-out films of patients that training saw too",
        "留出胸片上的平均 AUROC（训练中见过这些患者）",
    ),
    "auroc_alone": Text(
        "; {alone} from sex, age and view alone", "；仅凭性别、年龄和体位为 {alone}"
    ),
    "unknown": Text("not stated", "未注明"),
    "pictures": Text(
        "Pictures are reduced to at most {side} pixels and compressed.",
        "图像已缩小至最多 {side} 像素并压缩。",
    ),
}


def marker(key: str):
    """What a component's label, info, placeholder or value is given to show a text of TEXTS."""
    return _I18N(key)


def translations() -> gr.I18n:
    """What launch() is given."""
    return _I18N


_I18N = gr.I18n(
    **{
        ENGLISH: {key: text.en for key, text in TEXTS.items()},
        CHINESE: {key: text.zh for key, text in TEXTS.items()},
    }
)


def plain(text: str) -> str:
    """A text of somebody's model folder as Markdown that shows it letter by letter.

    Addresses stay links. Pictures, which a browser would fetch from elsewhere, do not.
    """
    parts = re.split(r"(https?://[\w./:%?=&#-]*[\w/])", " ".join(text.split()))
    parts[::2] = [re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
