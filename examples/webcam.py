"""A camera in a window: python examples/webcam.py [SOURCE] [--no-window]. Press q to leave.

SOURCE is a camera number (0 by default), a file or a URL.
"""

import sys
import threading
from contextlib import ExitStack, closing

from fkp_live import Frame, Pipeline, TrackedResult, draw, open_source, process_stream
from fkp_live.display.window import Window


def report(result: TrackedResult) -> None:
    """Print one line for each face."""
    for face in result.faces:
        blink = ", blinks" if face.measures.blink else ""
        print(f"{result.time:.2f} s: face {face.id}, yaw {face.pose.yaw:+.2f} rad{blink}")


def main(spec: str = "0", *, window: bool = True) -> None:
    """Follow the faces of a source until it ends or q is pressed."""
    stop = threading.Event()
    with ExitStack() as stack:
        source = stack.enter_context(open_source(spec))
        shown = None
        if window:
            shown = stack.enter_context(closing(Window("faces", (source.info.width, source.info.height))))

        def on_frame(frame: Frame, result: TrackedResult, _: object) -> None:
            report(result)
            if shown is not None:
                picture = draw(frame.picture.copy(), result.faces)  # a copy: the frame itself is read-only
                if shown.show(picture.bgr()) == ord("q") or shown.closed:
                    stop.set()

        stats = process_stream(source, Pipeline(), on_frame=on_frame, stop=stop)
    print(stats.summary().table())


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--no-window"]
    main(*arguments, window="--no-window" not in sys.argv)
