"""The texts of the tab for one image and of what all tabs share, in English and in Chinese.

The other texts are in the `*_words.py` modules.

Words that stand still (labels, headings) go to Gradio as markers, which its front end translates.
Words that are made here with figures in them go out in both languages, and the style sheet shows
the one that the page is in: switching needs no answer of the server.
"""

import html
import re

import gradio as gr

from cxr.web.page.finding_words import finding, sentence
from cxr.web.page.text import CHINESE, ENGLISH, LANGUAGE_CSS, Text
from cxr.web.page.translation import translated

__all__ = [
    "CHINESE",
    "ENGLISH",
    "LANGUAGE_CSS",
    "TEXTS",
    "Text",
    "finding",
    "linked",
    "marker",
    "sentence",
    "translated",
    "translations",
    "words",
]

TEXTS: dict[str, Text] = {
    "title": Text("Findings on a chest X-ray", "胸片征象"),
    "chest_xray": Text("Chest X-ray", "胸片"),
    "one_image": Text("One image", "单张胸片"),
    # The tab on the model.
    "about": Text("About", "关于"),
    "plots": Text("Plots of what was measured", "测量结果图"),
    "card": Text("The model's card (in its own language)", "模型说明卡（原文）"),
    # What stands over the tabs.
    "introduction": Text(
        "A model scores 14 findings on a frontal chest X-ray and shows a heatmap for each of them.",
        "模型为正位胸片上的 14 种征象评分，并显示依据位于片上何处。",
    ),
    "model": Text("Model:", "模型："),
    "commit": Text("commit", "提交"),
    "auroc": Text("mean AUROC {auroc}", "平均 AUROC {auroc}"),
    "interval": Text(" ({low} to {high})", "（{low} 至 {high}）"),
    "held_out": Text(" on held-out images", "，在留出的胸片上测得"),
    "leaky": Text(" of patients that training saw too", "，但其中有训练时见过的患者"),
    "alone": Text("; {auroc} from sex, age and view alone", "；仅凭性别、年龄和体位为 {auroc}"),
    # An image in.
    "how": Text(
        "Drop an image anywhere on the page, paste it, or choose a file. ",
        "将胸片拖放到页面任意处、粘贴，或选择文件。",
    ),
    "formats": Text(
        "PNG, JPEG, TIFF, WebP, BMP or DICOM, 8 or 16 bit, up to {most} MB.",
        "PNG、JPEG、TIFF、WebP、BMP 或 DICOM，8 或 16 位，不超过 {most} MB。",
    ),
    "too_large": Text(
        "This file has {size} MB; at most {most} MB are accepted. Save a smaller copy.",
        "此文件有 {size} MB，最大只接受 {most} MB；请另存为较小的副本。",
    ),
    "not_sent": Text(
        "The file could not be sent; check the connection and choose it again.",
        "文件未能发送；请检查网络连接后重新选择。",
    ),
    "examples": Text("Example images", "示例胸片"),
    "sources": Text("Where the examples come from", "示例的来源"),
    "labelled": Text("Labelled: {labels}", "标注：{labels}"),
    "unlabelled": Text("labels not known", "标注未知"),
    "empty": Text(
        "Choose an image, or one of the examples, to see its findings here.",
        "选择一张胸片或一个示例，即可在此查看其征象。",
    ),
    "busy": Text("Reading the image…", "正在读片……"),
    # Rejections.
    "no_scores": Text("No scores for this image.", "此图像不予评分。"),
    "unreadable": Text("This image could not be read.", "无法读取此胸片。"),
    "note": Text("Please note.", "请注意。"),
    # At a glance.
    "most_likely": Text("Most likely", "最可能的征象"),
    "reached": Text("reaches its threshold", "达到阈值"),
    "threshold_mark": Text(
        "The line across a bar is the finding's threshold.", "条上的竖线是该征象的阈值。"
    ),
    "choose_bar": Text("Choose a finding to see its heatmap.", "选择一种征象，查看其依据所在。"),
    "meaning": Text(
        "Each score is the model's estimate that the finding would be in the image's report, if "
        "images came in the mix of {mix}. What reaches its threshold is the same at every "
        "prevalence.",
        "每个评分是模型的估计：假如胸片按{mix}的构成而来，报告中会写有该征象的概率。"
        "无论取何患病率，达到阈值的征象都相同。",
    ),
    "mix_nih": Text("NIH's 112,120", " NIH 的 112,120 张胸片"),
    "mix_training": Text("those that the model was trained on", "模型训练所用胸片"),
    "mix_own": Text("NIH's 112,120, but with {shares}", " NIH 的 112,120 张胸片，但 {shares}"),
    # Prevalence.
    "no_answer": Text(
        "No result came, because too many images are waiting or the connection broke; try again "
        "in a minute.",
        "没有得到结果：等待的胸片太多，或连接中断；请一分钟后再试。",
    ),
    "no_scores_at_that": Text(
        "No scores are shown, because the prevalence was not understood.",
        "由于无法理解所填的患病率，未显示评分。",
    ),
    "prevalence": Text("State the scores at the prevalence of", "按以下患病率给出评分"),
    "prevalence_nih": Text("NIH's 112,120 images", "NIH 的 112,120 张胸片"),
    "prevalence_training": Text("the model's training images", "模型的训练胸片"),
    "prevalence_own": Text("shares of my own, such as", "自定比例，例如"),
    # Where.
    "image_alone": Text("The image alone", "仅看胸片"),
    "choice": Text("Show the heatmap for", "显示以下征象的依据"),
    "plain_image": Text(
        "The chest X-ray as read, with nothing drawn over it.", "所读取的胸片，未叠加任何内容。"
    ),
    "shown": Text(
        "Heatmap for: {finding}. It peaks in the {where} of the image.",
        "{finding}的依据；最强处位于图像{where}。",
    ),
    "flat": Text(
        "Heatmap for: {finding}. All of the image speaks alike; there is no peak and no box.",
        "{finding}的依据：全片各处相同，没有最强处，也没有框。",
    ),
    "legend": Text(
        "The brighter the orange, the more that place spoke for the finding, compared with the "
        "rest of this image. The box frames its peak.",
        "橙色越亮，表示该处与本片其他部位相比越支持该征象。框标出最强处。",
    ),
    "legend_least": Text("least", "最弱"),
    "legend_most": Text("most", "最强"),
    "opacity": Text("Opacity of the heatmap", "依据的不透明度"),
    "boxes": Text("Draw the box", "画出框"),
    "zoom_in": Text("Zoom in", "放大"),
    "zoom_out": Text("Zoom out", "缩小"),
    "whole": Text("Whole image", "整张胸片"),
    "invert": Text("Swap black and white", "黑白反转"),
    "fullscreen": Text("Full screen", "全屏"),
    "level": Text("Window level", "窗位"),
    "width": Text("Window width", "窗宽"),
    "reset": Text("Reset", "复位"),
    "viewport": Text(
        "The image. Keys: plus and minus zoom, 0 shows all of it, arrows move it, I swaps black "
        "and white.",
        "胸片。按键：加号和减号缩放，0 显示全片，方向键移动，I 黑白反转。",
    ),
    "viewport_hint": Text(
        "Drag to move, Ctrl and wheel or two fingers to zoom.",
        "拖动可移动，Ctrl 加滚轮或双指可缩放。",
    ),
    "record": Text(
        "How often such boxes were right when measured, on {boxes} boxes that radiologists drew",
        "实测时此类框的正确率，以放射科医师画的 {boxes} 个框为准",
    ),
    "record_none": Text(
        "How often such boxes are right was not measured for this model.",
        "此模型的框有多常正确，未经测量。",
    ),
    "record_not_this": Text("Not measured for this finding by itself.", "未单独就此征象测量。"),
    "record_answer": Text("Answer", "答案"),
    "record_pointing": Text("Peak lies in their box", "最强处在框内"),
    "record_overlap": Text("Box overlaps theirs (IoU > 0.3)", "框与其重叠（IoU > 0.3）"),
    "record_this": Text("{finding}, {boxes} boxes", "{finding}，{boxes} 个框"),
    "record_all": Text("all findings", "所有征象"),
    "record_constant": Text("a constant box that never looks at the image", "从不看片的固定框"),
    "upper_left": Text("upper left", "左上部"),
    "upper_middle": Text("upper middle", "上部中间"),
    "upper_right": Text("upper right", "右上部"),
    "middle_left": Text("left middle", "左侧中部"),
    "middle_middle": Text("middle", "中央"),
    "middle_right": Text("right middle", "右侧中部"),
    "lower_left": Text("lower left", "左下部"),
    "lower_middle": Text("lower middle", "下部中间"),
    "lower_right": Text("lower right", "右下部"),
    # All findings.
    "all_findings": Text("All findings", "所有征象"),
    "threshold": Text("List scores of at least", "只列出评分不低于"),
    "listed": Text("{listed} of {all} listed.", "列出 {all} 项中的 {listed} 项。"),
    "none_listed": Text("No score reaches that.", "没有评分达到此值。"),
    "head_finding": Text("Finding", "征象"),
    "head_score": Text("Probability", "概率"),
    "head_threshold": Text("Threshold", "阈值"),
    "head_reached": Text("Reached", "是否达到"),
    "head_prevalence": Text("Prevalence", "患病率"),
    "yes": Text("yes", "是"),
    "no": Text("no", "否"),
    "never": Text("never flagged", "从不标记"),
    "no_threshold": Text("none", "无"),
    # Files to keep.
    "download_report": Text("Report to print", "可打印的报告"),
    "download_overlay": Text("Heatmap (PNG)", "依据图（PNG）"),
    "download_csv": Text("Table (CSV)", "表格（CSV）"),
    "download_json": Text("Data (JSON)", "数据（JSON）"),
    # Several images.
    "several_images": Text("Several images", "多张胸片"),
    "images": Text("Chest X-rays", "胸片"),
    "batch_start": Text("Analyse these images", "为这些胸片作答"),
    "batch_stop": Text("Stop", "停止"),
    "batch_csv": Text("Save the table (CSV)", "保存表格（CSV）"),
}


def words(key: str, **values: "str | Text") -> str:
    """A text of TEXTS as HTML in both languages, with values in their places."""
    return TEXTS[key].filled(**values).html


def marker(key: str):
    """A text of TEXTS as the label, info, placeholder or value of a component.

    Gradio keeps its own texts in groups; a key that is the name of a group, such as "image", shows
    as "[object Object]".
    """
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

_ADDRESS = re.compile(r"(https?://[\w./:%?=&#-]*[\w/])")


def linked(text: str) -> str:
    """A text of somebody's model folder as HTML that shows it letter by letter, with its links."""
    parts = [html.escape(part) for part in _ADDRESS.split(" ".join(text.split()))]
    parts[1::2] = [f'<a href="{part}" rel="noopener nofollow">{part}</a>' for part in parts[1::2]]
    return "".join(parts)
