"""Where results go: H.264 video, CSV and JSON lines, and programs that listen (`open_sender`)."""

from fkp_live.sinks.csv import CsvFormat, CsvSink
from fkp_live.sinks.files import check_output
from fkp_live.sinks.jsonl import JsonlFormat, JsonlSink
from fkp_live.sinks.opening import check_target, open_sender
from fkp_live.sinks.sender import Sender
from fkp_live.sinks.sink import Sink
from fkp_live.sinks.text import StreamSink
from fkp_live.sinks.video import VIDEO_FORMATS, VideoSink

__all__ = [
    "VIDEO_FORMATS",
    "CsvFormat",
    "CsvSink",
    "JsonlFormat",
    "JsonlSink",
    "Sender",
    "Sink",
    "StreamSink",
    "VideoSink",
    "check_output",
    "check_target",
    "open_sender",
]
