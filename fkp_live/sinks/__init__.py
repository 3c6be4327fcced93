"""Where results go: H.264 video, CSV and JSON lines."""

from fkp_live.sinks.csv import CsvSink
from fkp_live.sinks.files import check_output
from fkp_live.sinks.jsonl import JsonlSink
from fkp_live.sinks.sink import Sink
from fkp_live.sinks.video import VIDEO_FORMATS, VideoSink

__all__ = ["VIDEO_FORMATS", "CsvSink", "JsonlSink", "Sink", "VideoSink", "check_output"]
