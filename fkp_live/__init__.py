"""Real-time 68-point face landmarks.

Public names are imported when they are first used, so ``import fkp_live`` alone costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fkp_live.choices import PipelineOptions
    from fkp_live.display.overlay import draw
    from fkp_live.engine import Engine
    from fkp_live.errors import FkpError
    from fkp_live.event_options import EventOptions
    from fkp_live.faces.events import EventFinder
    from fkp_live.pipeline import FaceLandmarker, Pipeline
    from fkp_live.sources import open_source
    from fkp_live.stream import process_stream
    from fkp_live.tables import read
    from fkp_live.types import (
        Event,
        Face,
        Frame,
        FrameResult,
        MeasuredFace,
        Measures,
        Pose,
        TrackedFace,
        TrackedResult,
    )

__version__ = "0.2.0.dev0"

__all__ = [
    "Engine",
    "Event",
    "EventFinder",
    "EventOptions",
    "Face",
    "FaceLandmarker",
    "FkpError",
    "Frame",
    "FrameResult",
    "MeasuredFace",
    "Measures",
    "Pipeline",
    "PipelineOptions",
    "Pose",
    "TrackedFace",
    "TrackedResult",
    "__version__",
    "draw",
    "open_source",
    "process_stream",
    "read",
]

_HOMES = {
    "Engine": "engine",
    "Event": "types",
    "EventFinder": "faces.events",
    "EventOptions": "event_options",
    "Face": "types",
    "FaceLandmarker": "pipeline",
    "FkpError": "errors",
    "Frame": "types",
    "FrameResult": "types",
    "MeasuredFace": "types",
    "Measures": "types",
    "Pipeline": "pipeline",
    "PipelineOptions": "choices",
    "Pose": "types",
    "TrackedFace": "types",
    "TrackedResult": "types",
    "draw": "display.overlay",
    "open_source": "sources",
    "process_stream": "stream",
    "read": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
