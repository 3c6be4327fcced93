"""A network camera on this machine, for docs/cameras.md: ``python -m docs.blocks.network_camera PORT``."""

from __future__ import annotations

import sys
import threading

import cv2  # before av: see docs/architecture.md
import numpy as np
from streams import RtspCamera

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sources import open_source
from fkp_live.types import Image

with open_source(demo_clip(), max_frames=30) as source:
    PICTURES = [np.asarray(cv2.resize(frame.image, (640, 360)), np.uint8) for frame in source]


def picture(number: int) -> Image:
    """The clip, over and over."""
    return PICTURES[number % len(PICTURES)]


camera = RtspCamera(picture, port=int(sys.argv[1]))
print(camera.url, flush=True)
threading.Event().wait()
