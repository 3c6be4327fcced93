"""Models and execution providers: the only code that imports onnxruntime."""
