"""The words of the tab on the model, and of what leads to the page from elsewhere."""

from cxr.web.page.text import Text

# What is said of the figures in metrics.json.
MEASURED: dict[str, Text] = {
    "images": Text(
        "On {images} images of {patients} patients that training did not see.",
        "在训练中未见过的 {patients} 名患者的 {images} 张胸片上测得。",
    ),
    "figure": Text("Figure", "指标"),
    "value": Text("This model (95 % interval)", "本模型（95% 区间）"),
    "control": Text("Beside it, without looking at the image", "对照：不看胸片的结果"),
    "interval": Text("{value} ({low} to {high})", "{value}（{low} 至 {high}）"),
    "auroc": Text("mean AUROC, {findings} findings", "平均 AUROC（{findings} 种征象）"),
    "auroc_without": Text("the same without Pneumonia and Hernia", "同上，不计肺炎和疝"),
    "pointing": Text(
        "heatmap points into the box ({boxes} boxes)", "依据图最高点落在标注框内（{boxes} 个框）"
    ),
    "overlap": Text("box drawn overlaps it, IoU above 0.3", "所画的框与标注框重叠，IoU 大于 0.3"),
    "calibration": Text(
        "mean calibration error at NIH's prevalence", "按 NIH 患病率计的平均校准误差"
    ),
    "accuracy": Text("accuracy over 15 labels", "15 个标签的准确率"),
    "control_metadata": Text("{value} (sex, age and view)", "{value}（性别、年龄和体位）"),
    "control_place": Text("{value} (a constant place per finding)", "{value}（每种征象固定一处）"),
    "control_box": Text("{value} (a constant box per finding)", "{value}（每种征象固定一框）"),
    "control_calibrated": Text(
        "{value} (perfectly calibrated, on so few images)", "{value}（胸片数相同、校准完美时）"
    ),
    "control_nothing": Text("{value} (predicting nothing)", "{value}（一概不报）"),
    "control_no_finding": Text('{value} (always "No Finding")', "{value}（一概报“未见所列征象”）"),
    "each": Text("Each finding", "各种征象"),
    "finding": Text("Finding", "征象"),
    "positives": Text("Images with it", "有此征象的胸片数"),
    "auroc_of_one": Text("AUROC", "AUROC"),
    "sensitivity": Text("Sensitivity", "灵敏度"),
    "specificity": Text("Specificity", "特异度"),
}

# What the tab on the model says besides.
ABOUT: dict[str, Text] = {
    "model": Text("This model", "本模型"),
    "name": Text("Model", "模型"),
    "commit": Text("Commit", "提交"),
    "network": Text("Network", "网络"),
    "licence": Text("Licence of the model", "模型许可证"),
    "software": Text("Licence of this page", "本页面许可证"),
    "use": Text(
        "Not for clinical use. This is a research demo: no decision about a patient may rest on "
        "it, and a low score does not rule out disease.",
        "不可用于临床。本页面仅供研究演示：任何涉及患者的决定都不得以此为据，"
        "评分低也不能排除疾病。",
    ),
    "measured": Text("What was measured", "测量结果"),
    "unmeasured": Text(
        "This model comes without measured figures. Nobody should rely on a model that was not "
        "measured.",
        "本模型未附测量结果。未经测量的模型不可依赖。",
    ),
    "plot_auroc": Text("AUROC of each label", "各标签的 AUROC"),
    "plot_roc": Text("ROC curves", "ROC 曲线"),
    "plot_precision_recall": Text("Precision and recall", "精确率与召回率"),
    "plot_reliability": Text("Calibration", "校准"),
    "plot_thresholds": Text("Sensitivity and specificity", "灵敏度与特异度"),
    "plot_accuracy": Text("Accuracy against the threshold", "准确率随阈值的变化"),
    "plot_subgroups": Text("Groups of patients", "患者亚组"),
    "plot_history": Text("Course of the training", "训练过程"),
    "plot_learning_rate": Text("Learning-rate finder", "学习率搜索"),
    "plotless": Text("This model comes without plots.", "本模型未附图。"),
    "cardless": Text(
        "This model comes without a card, or with one that is too long to be shown.",
        "本模型未附说明卡，或说明卡过长而无法显示。",
    ),
    "limits": Text("Limits", "局限"),
    "limit_labels": Text(
        "The labels it learned from, and was measured by, were read from reports by a program, "
        "and are wrong in both directions.",
        "它学习和评测所用的标签由程序从报告中提取，两个方向上都有错误。",
    ),
    "limit_none": Text(
        '"No Finding" means that none of the 14 findings was noted. Radiologists who look again '
        "find something on 30 to 46 % of such images.",
        "“未见所列征象”只表示报告未提到所列的 14 种征象；放射科医师复阅时，"
        "会在其中 30% 至 46% 的胸片上发现征象。",
    ),
    "limit_images": Text(
        "It knows frontal chest X-rays of adults from one hospital. Images of other hospitals and "
        "machines, of children, and photographs of images may be scored badly.",
        "它只见过一家医院的成人正位胸片。对其他医院和设备的胸片、儿童胸片以及翻拍的照片，"
        "评分可能很差。",
    ),
    "limit_blind": Text(
        "It is blind to all else: fractures, tubes, lines and much more.",
        "它看不到其他任何异常，例如骨折、导管和置管等。",
    ),
    "limit_where": Text(
        "A heatmap shows what spoke for a score. It is no outline of the finding.",
        "依据图显示评分的依据所在，并非征象的轮廓。",
    ),
    "embed": Text("In a blog post", "嵌入博客文章"),
    "embed_frame": Text(
        "A frame with the compact view, which grows with what is in it:",
        "以框架嵌入精简视图，高度随内容变化：",
    ),
    "embed_component": Text(
        "Or all of this page as a web component, which comes from this page itself:",
        "或以网页组件嵌入整个页面，组件由本页面自身提供：",
    ),
    "embed_say": Text(
        "Say beside it that it is not for clinical use, and that an image which a reader chooses "
        "is sent here.",
        "请在旁注明：不可用于临床，并且读者所选的胸片会发送到这里。",
    ),
    "call": Text("From a program", "用程序调用"),
    "call_python": Text(
        "From Python, with the package gradio_client:", "在 Python 中，使用 gradio_client 包："
    ),
    "call_more": Text("All calls, also for curl and JavaScript", "全部接口，含 curl 和 JavaScript"),
    "privacy": Text("Privacy", "隐私"),
    "privacy_kept": Text(
        "An image that you choose is sent to this page's server and is deleted within an hour. So "
        "are the images that are made from it.",
        "您所选的胸片会发送到本页面的服务器，并在一小时内删除；由它生成的图片也是如此。",
    ),
    "privacy_not": Text(
        "No image, score or patient field is logged or passed on, and there are no cookies, "
        "analytics or history of use.",
        "胸片、评分和患者信息都不会被记录或转交；本页面不用 Cookie，不做访问分析，"
        "也不保留使用历史。",
    ),
    "privacy_share": Text(
        "Choose only images that you may share, without a patient's name on them.",
        "请只选您有权分享、且不带患者姓名的胸片。",
    ),
    "full": Text("Open the full page", "打开完整页面"),
}
