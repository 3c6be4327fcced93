"""Where results go: H.264 video, CSV, JSON lines and Parquet, and programs that listen (`open_sender`)."""

from fkp_live.sinks.coco import CocoSink
from fkp_live.sinks.csv import CsvFormat, CsvSink
from fkp_live.sinks.events import EventsSink, EventsStreamSink
from fkp_live.sinks.files import check_output
from fkp_live.sinks.jsonl import JsonlFormat, JsonlSink
from fkp_live.sinks.live_link import LiveLinkSink
from fkp_live.sinks.opening import check_target, open_sender
from fkp_live.sinks.parquet import ParquetSink
from fkp_live.sinks.programs import ProgramsSink
from fkp_live.sinks.pts import PtsSink
from fkp_live.sinks.sender import Sender
from fkp_live.sinks.sink import Sink
from fkp_live.sinks.text import StreamSink
from fkp_live.sinks.video import VIDEO_FORMATS, VideoSink

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
