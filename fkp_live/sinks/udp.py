"""``udp://HOST:PORT``: each frame's JSON object, as in a JSONL file, as one datagram."""

from __future__ import annotations

from dataclasses import replace

from fkp_live.sinks.datagram import MOST_BYTES, DatagramSender
from fkp_live.sinks.jsonl import frame_object
from fkp_live.types import FrameResult


class UdpSender(DatagramSender):
    """The object of every frame, also of one without a face, in UTF-8 and without a line feed.

    A datagram holds 65,507 bytes. Where many faces take more, the points before smoothing (``raw``) are left out of
    that frame's object; then, if need be, the smallest faces. The first time is reported.
    """

    _shortened = False

    def _datagram(self, result: FrameResult) -> bytes:
        data = frame_object(result).encode()
        if len(data) <= MOST_BYTES:
            return data
        data, faces = frame_object(result, raw=False).encode(), len(result.faces)
        while len(data) > MOST_BYTES and faces:
            faces = min(faces - 1, faces * MOST_BYTES // len(data))
            data = frame_object(replace(result, faces=result.faces[:faces]), raw=False).encode()
        if not self._shortened:
            self._shortened = True
            left_out = len(result.faces) - faces
            self._say(
                f"{self.name}: {len(result.faces)} faces do not fit into a datagram; the points before smoothing"
                + (f" and the smallest of the faces ({left_out})" if left_out else "")
                + " were left out of a frame."
            )
        return data
