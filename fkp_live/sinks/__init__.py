"""Where results go: H.264 video, CSV, JSON lines and Parquet, and programs that listen (`open_sender`).

What an ordinary run does not need is imported when it is first used: it would delay the first picture.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fkp_live.sinks.csv import CsvFormat, CsvSink
from fkp_live.sinks.files import check_output
from fkp_live.sinks.jsonl import JsonlFormat, JsonlSink
from fkp_live.sinks.opening import check_target, open_sender
from fkp_live.sinks.sender import Sender
from fkp_live.sinks.sink import Sink
from fkp_live.sinks.text import StreamSink
from fkp_live.sinks.video import VIDEO_FORMATS, VideoSink

if TYPE_CHECKING:
    from fkp_live.sinks.coco import CocoSink
    from fkp_live.sinks.events import EventsSink, EventsStreamSink
    from fkp_live.sinks.live_link import LiveLinkSink
    from fkp_live.sinks.parquet import ParquetSink
    from fkp_live.sinks.programs import ProgramsSink
    from fkp_live.sinks.pts import PtsSink

__all__ = [
    "VIDEO_FORMATS",
    "CocoSink",
    "CsvFormat",
    "CsvSink",
    "EventsSink",
    "EventsStreamSink",
    "JsonlFormat",
    "JsonlSink",
    "LiveLinkSink",
    "ParquetSink",
    "ProgramsSink",
    "PtsSink",
    "Sender",
    "Sink",
    "StreamSink",
    "VideoSink",
    "check_output",
    "check_target",
    "open_sender",
]

_HOMES = {
    "CocoSink": "coco",
    "EventsSink": "events",
    "EventsStreamSink": "events",
    "LiveLinkSink": "live_link",
    "ParquetSink": "parquet",
    "ProgramsSink": "programs",
    "PtsSink": "pts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
