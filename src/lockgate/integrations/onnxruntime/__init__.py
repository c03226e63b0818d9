"""ONNX models answered by onnxruntime, in this process."""
