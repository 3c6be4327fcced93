"""Drive an avatar: python examples/avatar_sender.py [SOURCE [TARGET]]. Ctrl-C ends it.

TARGET is osf://127.0.0.1 by default, which VTube Studio and vpuppr read; vmc://127.0.0.1 is for VSeeFace and Warudo.
"""

from fkp_live import Pipeline, PipelineOptions, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.sinks import open_sender


def main(spec: str = "0", target: str = "osf://127.0.0.1") -> None:
    """Send each frame's faces as soon as they are found; a receiver may be started later."""
    options = PipelineOptions(smooth="light")
    with (
        open_source(spec) as source,
        open_sender(target, source.info, options=options, report=print) as avatar,
    ):
        process_stream(source, Pipeline(options), [avatar])
    print(f"{avatar.delivery.sent} frames sent to {avatar.name}")


if __name__ == "__main__":
    run_main(main, __doc__)
