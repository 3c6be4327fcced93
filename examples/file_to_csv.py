"""A film to a table of points, and to an annotated film: python examples/file_to_csv.py VIDEO CSV [OUT]."""

from contextlib import ExitStack

from fkp_live import Pipeline, PipelineOptions, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.sinks import CsvSink, Sink, VideoSink


def main(video: str, table: str, annotated: str | None = None) -> None:
    """Write one row for each face and frame; with ``annotated`` a film with the faces painted and the same sound."""
    with ExitStack() as stack:  # closes the files in every case
        source = stack.enter_context(open_source(video))
        sinks: list[Sink] = [stack.enter_context(CsvSink(table))]
        if annotated is not None:
            sinks.append(stack.enter_context(VideoSink(annotated, source.info, audio_from=source.info.path)))
        stats = process_stream(source, Pipeline(PipelineOptions(smooth="medium")), sinks)
    print(stats.summary(outputs=[table]).table())


if __name__ == "__main__":
    run_main(main, __doc__)
