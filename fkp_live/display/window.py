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
    title : text of the title bar at first, and the window's name in OpenCV
    pictures : (width, height) of the pictures in pixels
    size : (width, height) of the window in pixels; None: that of the pictures, or smaller where they are large
    fullscreen : whether it fills the screen at first
    """

    def __init__(
        self,
        title: str,
        pictures: tuple[int, int],
        *,
        size: tuple[int, int] | None = None,
        fullscreen: bool = False,
    ) -> None:
        self.title = title
        self._open = False
        self._titled = title
        self._fullscreen = fullscreen
        shrink = min(1.0, _LARGEST[0] / pictures[0], _LARGEST[1] / pictures[1])
        self._size = size or (max(1, round(pictures[0] * shrink)), max(1, round(pictures[1] * shrink)))

    def show(self, image: Image, wait_ms: int = 1) -> int:
        """Show a (H, W, 3) uint8 BGR picture and handle the window's events for ``wait_ms``.

        Returns the key pressed (its code, 0 to 255), or `NO_KEY`.
        """
        if not self._open:
            # Without the toolbar and status bar that the Qt backend adds.
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, *self._size)
            self._open = True
            if self._fullscreen:
                self._fill_screen()
        cv2.imshow(self.title, image)
        return self.wait(wait_ms)

    def wait(self, wait_ms: int) -> int:
        """Handle events for ``wait_ms``, or until a key is pressed; returns the key as `show` does."""
        key = cv2.waitKey(max(1, wait_ms))
        return key if key == NO_KEY else key & 0xFF

    def entitle(self, text: str) -> None:
        """Change the text of the title bar."""
        if self._open and text != self._titled:
            self._titled = text
            cv2.setWindowTitle(self.title, text)

    def toggle_fullscreen(self) -> bool:
        """Fill the screen, or go back to the window; whether it fills the screen now."""
        self._fullscreen = not self._fullscreen
        if self._open:
            self._fill_screen()
        return self._fullscreen

    def _fill_screen(self) -> None:
        kind = cv2.WINDOW_FULLSCREEN if self._fullscreen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self.title, cv2.WND_PROP_FULLSCREEN, kind)

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
