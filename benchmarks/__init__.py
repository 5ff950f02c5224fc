"""Measurements: `make bench` measures speed; other modules measure robustness and recipes."""

import cxr  # noqa: F401 (imported first, because it turns the telemetry of ONNX Runtime off)
