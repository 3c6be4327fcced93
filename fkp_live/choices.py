"""What can be chosen for a pipeline: light, so that every command can import it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt", "openvino", "coreml", "directml")
SMOOTHING = ("off", "light", "medium", "strong")
DETECT_EVERY = 15


@dataclass(frozen=True)
class PipelineOptions:
    """How a stream is worked on.

    Attributes
    ----------
    provider : execution provider, one of `runtime.PROVIDERS`
    model : name of a shipped landmark network, path of an .onnx file, or None for `runtime.stream_model`
    max_faces : most faces followed at once, or None for as many as there are
    detect_every : frames from one detection to the next; a new face appears at the latest after so many
    smooth : one of `smooth.SMOOTHING`
    min_face : side in pixels of the smallest face to look for; None: 40, or a 24th of the picture's longer side where
        that is more
    threads : threads inside one operator of the networks
    """

    provider: str = "auto"
    model: str | Path | None = None
    max_faces: int | None = None
    detect_every: int = 15
    smooth: str = "medium"
    min_face: float | None = None
    threads: int = 1
