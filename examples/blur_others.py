"""Blur everybody but some: python examples/blur_others.py VIDEO OUT [ID …].

Ids are those that the overlay shows. What is promised, and what is not: docs/privacy_cover.md.
"""

from fkp_live import Pipeline, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.display.cover_tracks import FaceCover
from fkp_live.look_ahead import LookAhead
from fkp_live.sinks import VideoSink


def main(video: str, out: str, *ids: str) -> None:
    """Cover faces half a second before they are detected, too."""
    pipeline = Pipeline()
    cover = FaceCover("blur", except_ids=[int(number) for number in ids], detect=pipeline.engine.detector)
    with (
        open_source(video) as source,
        VideoSink(out, source.info, audio_from=source.info.path) as film,
    ):
        # Frames that come after it hold the covered picture.
        ahead = LookAhead(source, pipeline, [cover], seconds=0.5)
        stats = process_stream(ahead, ahead, [film], paint=lambda frame, result: frame.picture)
    print(f"{stats.frames} frames written to {out}")


if __name__ == "__main__":
    run_main(main, __doc__)
