"""``camera://DEVICE``: the painted picture as a camera that other programs can choose.

pyvirtualcam, an extra, does the work. It is under the GPL, version 2, so it is imported only where it was asked for.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fkp_live.errors import OutputError
from fkp_live.sinks.sender import Report, Sender
from fkp_live.targets import Target
from fkp_live.types import FrameResult, Picture, SourceInfo

_USUAL_RATE = 30.0
FIRST = "auto"  # name for the first virtual camera that is free


class VirtualCameraSender(Sender):
    """Painted pictures to a virtual camera: v4l2loopback on Linux, OBS on macOS and Windows, Unity Capture on Windows.

    Parameters
    ----------
    target : its name is that of the device, such as ``/dev/video4`` or ``OBS Virtual Camera``, or `FIRST`
    info : of the source, whose size and rate the camera gets

    Raises
    ------
    OutputError : there is no such device, or it is in use
    """

    wants_picture = True

    def __init__(self, target: Target, info: SourceInfo, report: Report | None = None) -> None:
        import pyvirtualcam

        # Cameras have even sides.
        self._size = (info.width + info.width % 2, info.height + info.height % 2)
        device = None if target.name == FIRST else target.name
        try:
            self._camera: Any = pyvirtualcam.Camera(
                *self._size, info.fps or _USUAL_RATE, fmt=pyvirtualcam.PixelFormat.BGR, device=device
            )
        except Exception as error:
            reason = "; ".join(str(error).split("\n"))
            raise OutputError(
                f"{target} is not a virtual camera that can be written to: {reason.rstrip('.')}.",
                "On Linux load v4l2loopback (sudo modprobe v4l2loopback) and name its device, such as "
                "camera:///dev/video4; elsewhere start OBS once, and its virtual camera, or try camera://auto.",
            ) from error
        super().__init__(str(target), report)
        self._say(
            f"{target} is {self._camera.device}, through pyvirtualcam, which is under the GPL, version 2: keep to it "
            "where you pass this on together."
        )

    def _send(self, result: FrameResult, picture: Picture | None) -> bool:
        if picture is None:
            raise ValueError("a camera needs the picture of each result")
        image = picture.bgr()
        if image.shape[1::-1] != self._size:
            image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        self._camera.send(np.ascontiguousarray(image))
        return True

    def _release(self) -> None:
        self._camera.close()
