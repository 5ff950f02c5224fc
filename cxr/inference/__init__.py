"""Images and a model folder -> predictions, with ONNX Runtime alone."""
