"""Where frames come from: video files, cameras, live streams, pictures."""

from fkp_live.sources.source import Source
from fkp_live.sources.video import open_source
from fkp_live.types import SourceInfo

__all__ = ["Source", "SourceInfo", "open_source"]
