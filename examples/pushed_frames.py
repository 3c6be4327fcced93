"""Frames of a camera's own library: python examples/pushed_frames.py VIDEO CSV.

Its thread hands each picture to a `PushSource`; the loop of fkp-live reads them in this one. Here PyAV plays a film in
the camera's place. For a real camera omit ``live=False``: only the newest frame waits then, and faces are never late.
(A program that also opens windows must import cv2 before av: the other way round they hang on Linux.)
"""

import threading

import av
from av.container import InputContainer

from fkp_live import Pipeline, process_stream
from fkp_live.console import run_main
from fkp_live.sinks import CsvSink
from fkp_live.sources import PushSource


def camera(film: InputContainer, source: PushSource) -> None:
    """What a camera's library does in its thread: call with every picture."""
    for frame in film.decode(video=0):
        if not source.push(frame.to_ndarray(format="bgr24"), frame.time):
            break  # nobody reads any more
    source.close()


def main(path: str, table: str) -> None:
    """Follow the faces of the pushed frames and write their points."""
    with av.open(path) as film, PushSource(live=False) as source, CsvSink(table) as sink:
        threading.Thread(target=camera, args=(film, source), daemon=True).start()
        stats = process_stream(source, Pipeline(), [sink])
    print(f"{stats.frames} frames, {stats.faces} faces")


if __name__ == "__main__":
    run_main(main, __doc__)
