"""Chest X-ray findings: training and serving, which meet in one model folder."""

import os

# ONNX Runtime reports its use to its makers unless told not to before it is loaded; it would also
# leave a lasting number for this machine in the user's home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "1.0.0"
