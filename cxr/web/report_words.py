"""The texts of the report of one image."""

from cxr.web.page.text import Text

REPORT: dict[str, Text] = {
    "title": Text("Findings on a chest X-ray", "胸片征象报告"),
    "file": Text("File", "文件"),
    "made": Text("Made (UTC)", "生成时间（UTC）"),
    "image": Text("The image as read", "读入的胸片"),
    "image_size": Text("{width} × {height} pixels", "{width} × {height} 像素"),
    "image_alt": Text("The chest X-ray as read.", "读入的胸片。"),
    "reached": Text("Findings that reached their thresholds", "达到阈值的征象"),
    "none_reached": Text(
        "No finding reached its threshold. This does not rule out disease.",
        "没有征象达到阈值。这并不能排除疾病。",
    ),
    "reached_one": Text("{score}, threshold {threshold}", "{score}，阈值 {threshold}"),
    "warnings": Text("What looked odd", "异常提示"),
    "meaning_title": Text("What the scores mean", "评分的含义"),
    "meaning": Text(
        "Each score is the model's estimate that the finding would be in the image's report, if "
        "images came in the mix of {mix}. Thresholds are stated in the same mix; what reaches its "
        "threshold is the same at every prevalence.",
        "每个评分是模型的估计：若胸片按{mix}的构成出现，该征象会写入这张胸片报告的概率。阈值按同样的构成"
        "给出；是否达到阈值与所选患病率无关。",
    ),
    "mix_nih": Text("NIH's 112,120 images", "NIH 的 112,120 张胸片"),
    "mix_training": Text("the images that the model was trained on", "模型训练所用胸片"),
    "mix_own": Text(
        "NIH's 112,120 images, but with {stated}", "NIH 的 112,120 张胸片（但 {stated}）"
    ),
    "all": Text("All 15 labels, most likely first", "全部 15 个标签（按评分排序）"),
    "finding": Text("Finding", "征象"),
    "score": Text("Score", "评分"),
    "threshold": Text("Threshold", "阈值"),
    "is_reached": Text("Reached", "达到"),
    "prevalence": Text("Stated prevalence", "所注明的患病率"),
    "yes": Text("yes", "是"),
    "no": Text("no", "否"),
    "none": Text("none", "无"),
    "never": Text("never flagged", "不作标记"),
    "where": Text("Heatmaps", "依据所在位置"),
    "legend": Text(
        "The brighter the orange, the more that place spoke for the finding, compared with the "
        "rest of this image; the box frames its peak. The brightness does not show how likely the "
        "finding is.",
        "橙色越亮，表示与本片其余部分相比，该处越支持该征象；方框标出其峰值。亮度并不表示该征象的可能"
        "性大小。",
    ),
    "highest": Text(
        "No finding reached its threshold; the one with the highest score is shown.",
        "没有征象达到阈值；此处显示评分最高的征象。",
    ),
    "heatmap_alt": Text(
        "The image with the heatmap for {finding} in orange, brightest at its peak, and a box "
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
        "; one and the same place on every image reached {control}",
        "；若每张胸片都指向同一位置，则为 {control}",
    ),
    "pointing_unknown": Text(
        "For this finding it was not measured how often such boxes are right.",
        "该征象的方框准确率未经测量。",
    ),
    "measured": Text("How often such boxes were right when measured", "此类方框经测量的准确率"),
    "measured_on": Text(
        "On {boxes} boxes that radiologists drew on test images, beside an answer that never "
        "looks at the image. 95 % intervals in brackets.",
        "在测试胸片上放射科医师所画的 {boxes} 个方框上测量，并与一种从不看片的答案对照。括号内为 "
        "95 % 区间。",
    ),
    "not_measured": Text(
        "This model's folder does not say how often such boxes were right.",
        "该模型未提供此类方框的准确率。",
    ),
    "answer": Text("Share of boxes", "方框比例"),
    "of_model": Text("This model", "本模型"),
    "of_constant": Text("A constant box that never looks at the image", "从不看片的固定框"),
    "pointing": Text(
        "The brightest point lies in the radiologists' box", "最亮点落在医师所画方框内"
    ),
    "overlap": Text(
        "The box overlaps the radiologists' box (IoU > 0.3)",
        "方框与医师所画方框重叠（IoU > 0.3）",
    ),
    "interval": Text(" ({low} to {high})", "（{low} 至 {high}）"),
    "model_title": Text("The model", "模型"),
    "model": Text("Name", "名称"),
    "commit": Text("Commit", "提交"),
    "no_commit": Text("from a folder, without a commit", "来自本地文件夹，无提交号"),
    "network": Text("Network", "网络"),
    "auroc": Text("Mean AUROC on held-out images", "留出胸片上的平均 AUROC"),
    "auroc_leaky": Text(
        "Mean AUROC on held-out images of patients that training saw too",
        "留出胸片上的平均 AUROC（训练中见过这些患者）",
    ),
    "auroc_alone": Text(
        "; {alone} from sex, age and view alone", "；仅凭性别、年龄和体位为 {alone}"
    ),
    "unknown": Text("not stated", "未注明"),
    "images_note": Text(
        "Images are reduced to at most {side} pixels and compressed.",
        "图像已缩小至最多 {side} 像素并压缩。",
    ),
}
