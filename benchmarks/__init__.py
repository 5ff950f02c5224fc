"""Speed as ratios within one run (`make bench`), and what else is measured apart from training."""

# First: ONNX Runtime reports its use to its makers unless this has told it not to.
import cxr  # noqa: F401
