"""Lines of results to a stream: flushed at every frame, and ended by a reader that leaves."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest
from written import result_of, result_with_face

from fkp_live.errors import OutputError
from fkp_live.sinks import CsvFormat, CsvSink, JsonlFormat, JsonlSink, StreamSink


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_stream_gets_what_a_file_gets(tmp_path: Path, kind: str) -> None:
    path, stream = tmp_path / f"o.{kind}", io.BytesIO()
    file = CsvSink(path) if kind == "csv" else JsonlSink(path, {"source": "\u00fc\udcff"})
    form = CsvFormat() if kind == "csv" else JsonlFormat({"source": "\u00fc\udcff"})
    sinks = (file, StreamSink(stream, form))
    for result in (result_with_face(0), result_of(1), result_with_face(2)):
        for sink in sinks:
            sink.write(result)
    for sink in sinks:
        sink.close()
    assert stream.getvalue() == path.read_bytes()


def test_every_frame_is_there_as_soon_as_it_is_written() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        sink = StreamSink(writer, JsonlFormat({}))
        assert json.loads(reader.readline())["schema"] == "fkp-live/1"
        for index in range(3):
            sink.write(result_with_face(index))
            assert json.loads(reader.readline())["frame"] == index
        sink.close()
        with pytest.raises(ValueError, match="closed"):
            sink.write(result_of(3))
        assert not writer.closed


def test_a_reader_that_leaves_is_no_failure() -> None:
    reading, writing = os.pipe()
    writer = os.fdopen(writing, "wb", buffering=0)
    sink = StreamSink(writer, CsvFormat())
    os.close(reading)
    assert not sink.gone
    sink.write(result_with_face(0))
    assert sink.gone
    sink.write(result_with_face(1))
    sink.close()
    writer.close()


@pytest.mark.skipif(os.name != "posix", reason="there is no poll on Windows")
def test_a_reader_that_stalls_is_left_when_the_run_stops() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        asked: list[int] = []

        def stopped() -> bool:
            asked.append(1)
            return len(asked) > 1

        sink = StreamSink(writer, JsonlFormat({}), stopped=stopped)
        for index in range(200):
            sink.write(result_with_face(index))
        assert sink.gone
        sink.close()
        writer.close()
        *whole, _ = reader.read().split(b"\n")
    assert [json.loads(line)["frame"] for line in whole[1:]] == list(range(len(whole) - 1))
    assert len(asked) == 2


def test_a_full_disk_is_a_failure() -> None:
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        OutputError, match="Standard output does not take the results: No space left"
    ) as caught:
        StreamSink(Full(), CsvFormat(), "Standard output")
    assert caught.value.exit_code == 6
