"""Models and execution providers. Only this package imports onnxruntime."""
