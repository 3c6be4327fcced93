"""The window: the only module that calls ``cv2.imshow``.

Call `screen.screen_problem` before the first window: without a screen OpenCV ends the whole process. Nothing may
import ``av`` before OpenCV, or ``imshow`` hangs on Linux.
"""

from __future__ import annotations

import cv2

from fkp_live.types import Image

NO_KEY = -1
ESCAPE = 27
# A window is first shown at most this large; the user can drag it to any size.
_LARGEST = (1280, 800)


class Window:
    """One window for one stream of pictures of any size.

    Parameters
    ----------
    title : str
        Text of the title bar.
    size : (width, height) of the pictures in pixels
    """

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        self.title = title
        self._open = False
        shrink = min(1.0, _LARGEST[0] / size[0], _LARGEST[1] / size[1])
        self._size = (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))

    def show(self, image: Image, wait_ms: int = 1) -> int:
        """Show a (H, W, 3) uint8 BGR picture and handle the window's events for ``wait_ms``.

        Returns the key pressed (its code, 0 to 255), or `NO_KEY`.
        """
        if not self._open:
            # Without the toolbar and status bar that the Qt backend adds.
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, *self._size)
            self._open = True
        cv2.imshow(self.title, image)
        return self.wait(wait_ms)

    def wait(self, wait_ms: int) -> int:
        """Handle events for ``wait_ms``, or until a key is pressed; returns the key as `show` does."""
        key = cv2.waitKey(max(1, wait_ms))
        return key if key == NO_KEY else key & 0xFF

    @property
    def closed(self) -> bool:
        """Whether the user pressed the close button."""
        return self._open and not self._visible()

    def close(self) -> None:
        """Close the window. May be called twice."""
        if not self._open:
            return
        self._open = False
        if self._visible():
            cv2.destroyWindow(self.title)
            # The window disappears in the next turn of the event loop.
            cv2.waitKey(1)

    def _visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            # The Qt backend ends with its last window, and then raises.
            return False
