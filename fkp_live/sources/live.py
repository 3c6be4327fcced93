"""Frames of a live stream, stamped by the sender's clock where the format carries it, else by their arrival."""

from __future__ import annotations

import time

from fkp_live.clock import LiveClock
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.container import Container
from fkp_live.sources.damage import Damage
from fkp_live.sources.decoding import Converter, decoded
from fkp_live.sources.source import Frames
from fkp_live.types import Frame

# Live formats whose timestamps are the sender's; those of the others (mpjpeg) are the demuxer's guess.
_SENDERS_CLOCK = {"rtsp", "rtp", "sdp", "mpegts", "flv", "hls", "dash", "matroska", "webm", "mov", "mp4"}
_IN_SEGMENTS = {"hls", "dash"}
_LONGEST_WAIT = 0.5  # seconds between two pictures of a stream in segments; a slower one is shown faster


def live_frames(container: Container, damage: Damage, converter: Converter) -> Frames:
    """Frames until the sender ends; always BGR pictures."""
    clock = LiveClock(container.time_base if container.kinds & _SENDERS_CLOCK else None)
    index, opened = 0, time.perf_counter()
    try:
        for picture in decoded(container, damage):
            arrived = time.perf_counter()
            seconds = clock(picture.pts, arrived)
            if container.kinds & _IN_SEGMENTS:
                # A segment of several seconds comes at once: without a pause between its pictures, all but the newest
                # would be dropped.
                time.sleep(min(max(opened + seconds - arrived, 0.0), _LONGEST_WAIT))
                arrived = time.perf_counter()
            yield Frame(BgrPicture(converter.bgr(picture)), index, seconds, arrived)
            index += 1
    finally:
        container.close()
