"""Chest X-ray findings: training and serving, which meet in one model folder."""

import os

# ONNX Runtime sends its maker an account of each session and keeps an identifier of the machine,
# unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
