"""The texts of the tab for several images, and of the downloads, that are not in TEXTS."""

from cxr.web.page.text import Text

DOWNLOAD = Text("Download", "保存结果")

BATCH: dict[str, Text] = {
    "how": Text(
        "Choose or drop up to {most} images. Each is analysed by itself; a file that cannot be "
        "read does not stop the others. No file is kept for longer than an hour.",
        "选择或拖入最多 {most} 张胸片。逐张作答；某个文件无法读取不影响其他文件。"
        "文件保留不超过一小时。",
    ),
    "left_out": Text("Left out, as larger than {most} MB:", "以下文件超过 {most} MB，未采用："),
    "waiting": Text("Waiting for its turn…", "正在排队……"),
    "no_images": Text("Choose some images first.", "请先选择胸片。"),
    "progress": Text("{done} of {all} images", "{all} 张胸片中已完成 {done} 张"),
    "done": Text(
        "Done: {answered} of {all} images have scores.",
        "完成：{all} 张胸片中有 {answered} 张给出评分。",
    ),
    "stopped": Text("Stopped. The results until then are below.", "已停止。此前的结果见下表。"),
    "too_many": Text(
        "At most {most} images are analysed at once: these are the first {most} of {all}; choose "
        "the others afterwards.",
        "一次最多为 {most} 张胸片作答：以下是 {all} 张中的前 {most} 张；其余请随后再选。",
    ),
    "caption": Text(
        "Findings that reached their thresholds, image by image. Each score is the model's "
        "estimate if images came in the mix of {mix}. Not for clinical use.",
        "逐片列出达到阈值的征象。每个评分是假如胸片按{mix}的构成而来时模型的估计。不得用于临床。",
    ),
    "file": Text("File", "文件"),
    "findings": Text("Reached the threshold", "达到阈值"),
    "notes": Text("Notes", "说明"),
    "none": Text(
        "No finding reached its threshold; the highest score: {highest}.",
        "没有征象达到阈值；最高评分：{highest}。",
    ),
    "more": Text("and {count} more", "另有 {count} 项"),
    "rejected": Text("No scores.", "未评分。"),
}
