"""onnxruntime, imported here for the whole project."""

from __future__ import annotations

from types import ModuleType


def onnxruntime_module() -> ModuleType:
    """The module ``onnxruntime``. It loads at the first call, so that `fkp-live doctor` runs without it."""
    import onnxruntime

    return onnxruntime


def runtime_version() -> str:
    """Version of onnxruntime."""
    return str(onnxruntime_module().__version__)
