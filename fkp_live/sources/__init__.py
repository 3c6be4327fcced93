"""Sources of frames: video files, cameras, live streams, pictures."""

from fkp_live.sources.opening import open_source
from fkp_live.sources.source import Source
from fkp_live.types import SourceInfo

__all__ = ["Source", "SourceInfo", "open_source"]
