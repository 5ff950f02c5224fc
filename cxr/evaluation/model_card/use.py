"""The card's lines of Python, licence and citation."""

from cxr.model.config import Config

IMAGES_AT = "https://nihcc.app.box.com/v/ChestXray-NIHCC"


def snippets(config: Config) -> str:
    """ONNX Runtime alone, then the forms for fastai and PyTorch."""
    size = config.image_size
    return f"""With ONNX Runtime alone, in the model's folder; the scores are those of the demo:

```python
import json

import numpy as np
import onnxruntime
from PIL import Image

with open("config.json", encoding="utf-8") as file:
    config = json.load(file)
image = Image.open("image.png").convert("L")  # of 8 bits
image = image.resize(({size}, {size}), Image.Resampling.BILINEAR)
image = np.asarray(image, np.float32)[None, None] / 255
session = onnxruntime.InferenceSession("model.onnx")
logits, heatmap, embedding = session.run(None, {{"image": image}})

a, b = np.array([config["calibration"][k] for k in config["labels"]]).T
shares = [[config["prevalence"][at][k] for k in config["labels"]] for at in ("training", "nih")]
training, nih = np.log(shares) - np.log1p(-np.array(shares))  # log-odds
scores = 1 / (1 + np.exp(-(a * logits[0] + b + nih - training)))
print(dict(zip(config["labels"], scores.round(3).tolist())))
```

Thresholds in `config.json` are at the training prevalence: compare them with
scores made without `nih - training`.

With fastai, for training on. The pickle runs code when it is loaded and needs this project's on the
path: load it only from someone you trust. Its scores are not calibrated.

```python
from huggingface_hub import from_pretrained_fastai

learn = from_pretrained_fastai("OWNER/NAME")  # or a folder
labels, flags, scores = learn.predict("image.png")
```

With PyTorch, from safetensors, which run no code:

```python
from cxr.training import net

network = net.load("FOLDER")
logits = network(images)  # float32 [N, 1, {size}, {size}], 0 to 1, bone white
```"""


def licence() -> str:
    """Terms of code, weights and images, and whom to cite."""
    return f"""Code and weights: Apache-2.0. No image is part of them. The images, NIH ChestX-ray14
({IMAGES_AT}), those in `examples/` among them, are provided by
the NIH Clinical Center, free to use; it asks for that link, for its name as their provider, and
for this paper to be cited.

```bibtex
@inproceedings{{wang2017chestxray8,
  author    = {{Wang, Xiaosong and Peng, Yifan and Lu, Le and Lu, Zhiyong and
               Bagheri, Mohammadhadi and Summers, Ronald M.}},
  title     = {{{{ChestX-ray8}}: Hospital-scale Chest X-ray Database and Benchmarks on
               Weakly-Supervised Classification and Localization of Common Thorax Diseases}},
  booktitle = {{IEEE Conference on Computer Vision and Pattern Recognition (CVPR)}},
  pages     = {{3462--3471}},
  year      = {{2017}}
}}
```"""
