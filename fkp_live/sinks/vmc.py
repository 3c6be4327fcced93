"""``vmc://HOST:PORT``: the Virtual Motion Capture protocol (OSC over UDP), as VSeeFace, Warudo and others read it.

See https://protocol.vmc.info. python-osc, an extra, encodes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fkp_live.geometry import quaternion_of
from fkp_live.sinks.avatar import eyes_open, mouth_open
from fkp_live.sinks.datagram import DatagramSender
from fkp_live.sinks.sender import Report
from fkp_live.sinks.slots import Lead
from fkp_live.targets import Target
from fkp_live.types import Face, FrameResult, Pose

Message = tuple[str, str, tuple[Any, ...]]


class VmcSender(DatagramSender):
    """One OSC bundle a frame: head and neck, eyes and mouth of one face.

    The face is the same as long as it is seen, then the largest one (`Lead`). Without a face only ``/VMC/Ext/OK`` and
    ``/VMC/Ext/T`` are sent, so that the avatar stays as it was. ``T`` is the time of the frame in the stream.

    Blend shapes have the names of VRM 0 (``Blink_L``, ``Blink_R``, ``A``) and those of ARKit (``EyeBlinkLeft``,
    ``EyeBlinkRight``, ``JawOpen``); receivers take the ones that their avatar has.
    """

    def __init__(self, target: Target, report: Report | None = None) -> None:
        from pythonosc import osc_bundle_builder, osc_message_builder

        self._bundle = osc_bundle_builder.OscBundleBuilder
        self._message = osc_message_builder.OscMessageBuilder
        self._lead = Lead()
        super().__init__(target, report)

    def _datagram(self, result: FrameResult) -> bytes:
        bundle = self._bundle(0)  # "immediately"
        face = self._lead(result)
        parts = [] if face is None else [*_bones(face.pose), *_blends(face)]
        parts += [("/VMC/Ext/OK", "i", (1,)), ("/VMC/Ext/T", "f", (result.time,))]
        for address, kinds, values in parts:
            message = self._message(address)
            for kind, value in zip(kinds, values, strict=True):
                message.add_arg(value, kind)
            bundle.add_content(message.build())
        return bytes(bundle.build().dgram)


def _bones(pose: Pose | None) -> Iterator[Message]:
    """Head and neck, each turned by half.

    Unity's axes (x to the avatar's right, y up, z forward) are ours turned by half a turn in the picture and reflected:
    the numbers of the quaternion are the same.
    """
    if pose is None:
        return
    x, y, z, w = quaternion_of(pose.pitch, pose.yaw, pose.roll)
    length = math.sqrt(max(2 + 2 * w, 1e-9))
    half = (x / length, y / length, z / length, (1 + w) / length)
    for bone in ("Neck", "Head"):
        yield "/VMC/Ext/Bone/Pos", "sfffffff", (bone, 0.0, 0.0, 0.0, *half)


def _blends(face: Face) -> Iterator[Message]:
    right, left = eyes_open(face.measures)
    mouth = mouth_open(face.measures)
    values = {
        **{"Blink_L": 1 - left, "Blink_R": 1 - right, "A": mouth},
        **{"EyeBlinkLeft": 1 - left, "EyeBlinkRight": 1 - right, "JawOpen": mouth},
    }
    for name, value in values.items():
        yield "/VMC/Ext/Blend/Val", "sf", (name, value)
    yield "/VMC/Ext/Blend/Apply", "", ()
