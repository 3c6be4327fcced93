"""Beginning in the middle of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from fkp_live.sources.container import Container
from fkp_live.sources.damage import Damage
from fkp_live.sources.decoding import decoded

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Containers without an index: a seek in them is a search by the clock, which joined recordings lead astray.
_SOUGHT_BY_CLOCK = {"mpegts", "mpeg"}
_PLACES = 32  # where the clock is read before it is relied on: a few kilobytes each, whatever the file's size
_MOST_PACKETS = 1000  # read at each place until one of the picture track comes
_FURTHER_BACK = (0.0, 10.0, 60.0)  # seconds before the target


def decoded_from(container: Container, damage: Damage, target: float | None) -> Iterator[VideoFrame]:
    """Pictures from a key frame before ``target`` seconds on the file's clock (None: from the beginning)."""
    from av.error import FFmpegError

    if target is None:
        yield from decoded(container, damage)
        return
    if not (container.kinds & _SOUGHT_BY_CLOCK and clock_goes_back(container)):
        for back in _FURTHER_BACK:
            if target <= back:
                break
            with suppress(FFmpegError, OSError):  # not seekable: read on from here, which is the beginning
                container.seek(target - back)
            pictures = decoded(container, damage)
            first = next(pictures, None)
            # Without an index a seek may land behind the target: try again further ahead of it.
            if first is not None and first.pts is not None and first.pts * container.time_base <= target:
                yield first
                yield from pictures
                return
            pictures.close()
    container.reopen()
    damage.clear()
    yield from decoded(container, damage)


def clock_goes_back(container: Container) -> bool:
    """Whether a file's clock begins anew somewhere, as in joined recordings; also where it cannot be looked at.

    The clock is read at 32 places, evenly spread over the file, so that not all of it need be read. Parts that are
    joined each with its own clock from 0 show in it, however many they are. A jump back by less than the time from one
    place to the next can be missed; a seek is then off by as much, a 32nd of the file at most.
    """
    from av.error import FFmpegError

    latest: int | None = None
    read_at: int | None = None
    try:
        for place in range(_PLACES):
            container.seek_byte(container.size * place // _PLACES)
            for packet in islice(container.packets(), _MOST_PACKETS):
                if packet.stream is container.stream and packet.dts is not None:
                    # Parts of one length can show the same time everywhere.
                    still = packet.dts == latest and packet.pos != read_at
                    if latest is not None and (packet.dts < latest or still):
                        return True
                    latest, read_at = packet.dts, packet.pos
                    break
    except (FFmpegError, OSError):
        return True
    return latest is None
