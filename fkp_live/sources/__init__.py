"""Sources of frames: video files, cameras, live streams, pictures, and frames of your own."""

from fkp_live.sources.cameras import list_cameras
from fkp_live.sources.modes import Camera
from fkp_live.sources.opening import open_source
from fkp_live.sources.push import PushSource
from fkp_live.sources.source import Source
from fkp_live.types import SourceInfo

__all__ = ["Camera", "PushSource", "Source", "SourceInfo", "list_cameras", "open_source"]
