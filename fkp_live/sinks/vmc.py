"""``vmc://HOST:PORT``: the Virtual Motion Capture protocol (OSC over UDP), as VSeeFace, Warudo and others read it.

See https://protocol.vmc.info. python-osc, an extra, encodes each kind of bundle once; from then on only its numbers are
put in, which takes a tenth of the time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from fkp_live.geometry import quaternion_of
from fkp_live.sinks.avatar import eyes_open, mouth_open
from fkp_live.sinks.datagram import DatagramSender
from fkp_live.sinks.sender import Report
from fkp_live.sinks.slots import Lead
from fkp_live.targets import Target
from fkp_live.types import Face, FrameResult, Pose

# Address, a text in front of the numbers or none, and the numbers: int32 or float32, as in Python.
Message = tuple[str, str | None, tuple[float, ...]]
# Of a bundle that counts at once.
_HEAD = b"#bundle\0" + struct.pack(">Q", 1)


class VmcSender(DatagramSender):
    """One OSC bundle a frame: head and neck, eyes and mouth of one face.

    The face is the same as long as it is seen, then the largest one (`Lead`). Without a face only ``/VMC/Ext/OK`` and
    ``/VMC/Ext/T`` are sent, so that the avatar stays as it was. ``T`` is the time of the frame in the stream.

    Blend shapes have the names of VRM 0 (``Blink_L``, ``Blink_R``, ``A``) and those of ARKit (``EyeBlinkLeft``,
    ``EyeBlinkRight``, ``JawOpen``); receivers take the ones that their avatar has.
    """

    def __init__(self, target: Target, report: Report | None = None, *, in_groups: bool = False) -> None:
        self._lead = Lead()
        # By whether there is a face and a pose.
        self._bundles: dict[tuple[bool, bool], _Bundle] = {}
        super().__init__(target, report, in_groups=in_groups)

    def _datagram(self, result: FrameResult) -> bytes:
        face = self._lead(result)
        messages = [] if face is None else [*_bones(face.pose), *_blends(face)]
        messages += [("/VMC/Ext/OK", None, (1,)), ("/VMC/Ext/T", None, (float(result.time),))]
        kind = (face is not None, face is not None and face.pose is not None)
        if (bundle := self._bundles.get(kind)) is None:
            bundle = self._bundles[kind] = _Bundle(messages)
        return bundle.filled(messages)


class _Bundle:
    """An OSC bundle whose addresses and texts stay, and whose numbers are put in.

    Parameters
    ----------
    messages : of this kind of bundle, with any numbers; they lie at the end of each encoded message
    """

    def __init__(self, messages: list[Message]) -> None:
        from pythonosc.osc_message_builder import OscMessageBuilder

        layout = ">"
        self._texts: list[bytes] = []
        head = _HEAD
        for address, text, numbers in messages:
            message = OscMessageBuilder(address)
            if text is not None:
                message.add_arg(text, "s")
            for number in numbers:
                message.add_arg(number, "i" if isinstance(number, int) else "f")
            data = message.build().dgram
            head += struct.pack(">i", len(data)) + data[: len(data) - 4 * len(numbers)]
            layout += f"{len(head)}s{''.join('i' if isinstance(n, int) else 'f' for n in numbers)}"
            self._texts.append(head)
            head = b""
        self._struct = struct.Struct(layout)

    def filled(self, messages: list[Message]) -> bytes:
        """The datagram with the numbers of these messages."""
        values: list[bytes | float] = []
        for text, (_, _, numbers) in zip(self._texts, messages, strict=True):
            values += [text, *numbers]
        return self._struct.pack(*values)


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
        yield "/VMC/Ext/Bone/Pos", bone, (0.0, 0.0, 0.0, *half)


def _blends(face: Face) -> Iterator[Message]:
    right, left = eyes_open(face.measures)
    mouth = mouth_open(face.measures)
    values = {
        **{"Blink_L": 1 - left, "Blink_R": 1 - right, "A": mouth},
        **{"EyeBlinkLeft": 1 - left, "EyeBlinkRight": 1 - right, "JawOpen": mouth},
    }
    for name, value in values.items():
        yield "/VMC/Ext/Blend/Val", name, (value,)
    yield "/VMC/Ext/Blend/Apply", None, ()
