"""A camera in a window: python examples/webcam.py [SOURCE] [--no-window]. SOURCE: a number, file or URL; q ends it."""

import threading
from contextlib import closing

from fkp_live import Frame, Pipeline, TrackedResult, draw, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.display.screen import screen_problem
from fkp_live.display.window import Window
from fkp_live.errors import UsageError


def main(*words: str) -> None:
    """Follow the faces of a source until it ends or q is pressed; print a line for each face."""
    hidden = "--no-window" in words
    spec = next((word for word in words if word != "--no-window"), "0")
    stop = threading.Event()
    with (
        open_source(spec) as source,
        closing(Window("faces", (source.info.width, source.info.height))) as window,
    ):
        if not hidden and (problem := screen_problem()):
            raise UsageError(f"No window can be opened: {problem}.", "Add --no-window.")

        def on_frame(frame: Frame, result: TrackedResult, _: object) -> None:
            for face in result.faces:
                blink = ", blinks" if face.measures.blink else ""
                print(f"{result.time:.2f} s: face {face.id}, yaw {face.pose.yaw:+.2f} rad{blink}")
            if not hidden:
                picture = draw(frame.picture.copy(), result.faces)  # a copy: the frame itself is read-only
                if window.show(picture.bgr()) == ord("q") or window.closed:
                    stop.set()

        stats = process_stream(source, Pipeline(), on_frame=on_frame, stop=stop)
    print(stats.summary().table())


if __name__ == "__main__":
    run_main(main, __doc__)
