"""An alarm for tired eyes: python examples/drowsiness_alarm.py [SOURCE]. Ctrl-C ends it.

SOURCE is a camera number (0 by default), a file or a URL.
"""

from fkp_live import EventFinder, EventOptions, Frame, FrameResult, Pipeline, open_source, process_stream
from fkp_live.console import run_main

ALARMS = {
    "eyes_shut": "eyes shut for two seconds",
    "perclos": "eyes shut too often in the last minute",
    "yawn": "a yawn",
}


def main(spec: str = "0") -> None:
    """Ring the terminal's bell at each sign of tiredness."""
    find = EventFinder(EventOptions(eyes_shut=2.0))

    def watch(_: Frame, result: FrameResult, __: object) -> None:
        for event in find(result):
            if event.name in ALARMS:
                print(f"\a{event.time:.1f} s: face {event.face_id}, {ALARMS[event.name]}", flush=True)
            elif event.name.endswith("blink"):
                print(f"{event.time:.1f} s: face {event.face_id}, {event.name} of {event.seconds:.2f} s")

    with open_source(spec) as source:
        process_stream(source, Pipeline(), on_frame=watch)


if __name__ == "__main__":
    run_main(main, __doc__)
