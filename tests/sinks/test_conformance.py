"""What every sink that writes a file promises, whatever its format."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import number_of
from written import frames_in, info, names, numbered_picture, partial, result_with_face, write_numbered

from fkp_live.errors import OutputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sinks import CsvSink, JsonlSink, ParquetSink, VideoSink, files
from fkp_live.sinks.coco import CocoSink
from fkp_live.sinks.sink import FileSink
from fkp_live.sources import open_source

Make = Callable[..., FileSink]
KINDS: dict[str, Make] = {
    "o.csv": CsvSink,
    "o.jsonl": lambda path, **more: JsonlSink(path, {}, **more),
    "o.json": lambda path, **more: CocoSink(path, info(), **more),
    "o.parquet": lambda path, **more: ParquetSink(path, {}, **more),
    "o.mp4": lambda path, **more: VideoSink(path, info(), **more),
    "o.mov": lambda path, **more: VideoSink(path, info(), **more),
    "o.mkv": lambda path, **more: VideoSink(path, info(), **more),
}
NUMBERS = (".csv", ".jsonl", ".json", ".parquet")
OLD = "what was here before"
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.fixture(params=list(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "o.parquet":
        pytest.importorskip("pyarrow")
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path, name: str) -> Path:
    return tmp_path / name


@pytest.fixture
def make(name: str) -> Make:
    return KINDS[name]


def results_in(path: Path) -> int:
    """How many results the file holds; they must be those of `write_numbered`, from the first on."""
    if path.suffix == ".json":
        found = json.loads(path.read_text())
        assert [image["id"] for image in found["images"]] == [*range(1, len(found["images"]) + 1)]
        return len(found["annotations"])
    if path.suffix in (".csv", ".jsonl"):
        lines = path.read_text().splitlines()
        first = 1 if path.suffix == ".csv" else 0
        start = "{},3," if path.suffix == ".csv" else '{{"frame":{},'
        assert all(line.startswith(start.format(first + i)) for i, line in enumerate(lines[1:]))
        return len(lines) - 1
    if path.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            frames = file.read(["frame"])["frame"].to_pylist()
        assert frames == list(range(1, len(frames) + 1))
        return len(frames)
    numbers = [number_of(frame.image) for frame in frames_in(path)]
    assert numbers == list(range(len(numbers)))
    return len(numbers)


# names


def test_a_file_has_a_partial_name_until_it_is_closed(path: Path, make: Make) -> None:
    sink = make(path)
    assert names(path.parent) == [partial(path).name]
    write_numbered(sink, 7)
    assert names(path.parent) == [partial(path).name]
    assert sink.kept == partial(path)
    sink.close()
    assert names(path.parent) == [path.name]
    assert sink.kept is None
    assert sink.note == ""
    assert results_in(path) == 7


def test_partial_files_of_others_are_left_alone(path: Path, make: Make) -> None:
    partial(path).write_text("of a run that failed")
    second, third = (path.with_name(f"o.partial-{number}{path.suffix}") for number in (2, 3))
    second.symlink_to("nowhere")
    with make(path) as sink:
        write_numbered(sink, 2)
        assert sink.kept == third
    assert partial(path).read_text() == "of a run that failed"
    assert names(path.parent) == sorted([path.name, partial(path).name, second.name])


def test_a_new_file_has_the_usual_mode(path: Path, make: Make) -> None:
    before = os.umask(0o027)
    try:
        with make(path) as sink:
            write_numbered(sink, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_output_through_a_link_replaces_the_file_it_leads_to(path: Path, make: Make) -> None:
    real = path.parent / "far" / f"real{path.suffix}"
    real.parent.mkdir()
    real.write_text(OLD)
    path.symlink_to(real)
    with make(path, overwrite=True) as sink:
        write_numbered(sink, 3)
        assert sink.kept == partial(real)
    assert path.is_symlink()
    assert results_in(real) == 3
    assert names(real.parent) == [real.name]


# overwriting


def test_an_existing_file_is_refused_without_overwrite(path: Path, make: Make) -> None:
    path.write_text(OLD)
    with pytest.raises(OutputError, match="exists already") as caught:
        make(path)
    assert caught.value.exit_code == 6
    assert "--overwrite" in caught.value.hint
    assert path.read_text() == OLD
    assert names(path.parent) == [path.name]


def test_an_existing_file_is_replaced_with_overwrite(path: Path, make: Make) -> None:
    path.write_text(OLD)
    with make(path, overwrite=True) as sink:
        write_numbered(sink, 5)
        assert path.read_text() == OLD
    assert results_in(path) == 5
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_in_the_meantime_is_not_replaced(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    def link(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not hard_links:  # as on FAT
        monkeypatch.setattr(os, "link", link)
    sink = make(path)
    write_numbered(sink, 4)
    path.write_text(OLD)
    with pytest.raises(OutputError, match="appeared while it was being written") as caught:
        sink.close()
    assert caught.value.exit_code == 6
    assert sink.kept == partial(path)
    assert str(sink.kept) in str(caught.value)
    assert path.read_text() == OLD
    assert results_in(partial(path)) == 4
    assert names(path.parent) == sorted([path.name, partial(path).name])


def test_with_overwrite_the_last_of_two_sinks_has_the_file(path: Path, make: Make) -> None:
    one, two = make(path, overwrite=True), make(path, overwrite=True)
    write_numbered(one, 1)
    write_numbered(two, 2)
    two.close()
    assert results_in(path) == 2
    one.close()
    assert results_in(path) == 1
    assert names(path.parent) == [path.name]


# failure


def test_abort_keeps_the_results_under_the_partial_name_and_the_old_target(path: Path, make: Make) -> None:
    path.write_text(OLD)
    sink = make(path, overwrite=True)
    write_numbered(sink, 7)
    sink.abort()
    assert path.read_text() == OLD
    assert sink.kept == partial(path)
    assert results_in(partial(path)) == 7


def test_abort_before_the_first_result_leaves_nothing(path: Path, make: Make) -> None:
    sink = make(path)
    sink.abort()
    assert names(path.parent) == []
    assert sink.kept is None


def test_only_numbers_are_a_file_without_a_result(path: Path, make: Make) -> None:
    make(path).close()
    numbers = path.suffix in NUMBERS
    assert names(path.parent) == ([path.name] if numbers else [])
    assert not numbers or results_in(path) == 0


def test_a_full_disk_ends_with_its_own_message(path: Path, make: Make) -> None:
    """A limit on the file size stands in for the full disk: the same failing write, from the same place."""
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (96, 160, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = make(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written") as caught:  # noqa: PT012
            for i in range(2000):
                sink.write(result_with_face(i), BgrPicture(noise))
            sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.abort()
    assert caught.value.exit_code == 6
    assert "disk" not in caught.value.hint  # there is room; it is the file that may not grow
    assert names(path.parent) == [partial(path).name]
    if path.suffix not in NUMBERS:
        with open_source(partial(path)) as source:
            assert next(source).image.shape == noise.shape


# other programs in the same folder


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced on Windows")
@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("other", ["a link", "a file", "nothing"])
def test_what_takes_the_place_of_the_partial_file_is_left_alone(
    path: Path, make: Make, end: str, other: str
) -> None:
    precious = path.parent / "precious"
    precious.write_text(OLD)
    sink = make(path)
    write_numbered(sink, 5)
    partial(path).unlink()
    if other == "a link":
        partial(path).symlink_to(precious)
    elif other == "a file":
        partial(path).write_text(OLD)
    if end == "close":
        with pytest.raises(
            OutputError, match=r"was removed or replaced while it was being written"
        ) as caught:
            sink.close()
        assert caught.value.exit_code == 6
    else:
        sink.abort()
    assert sink.kept is None
    assert not path.exists()
    assert precious.read_text() == OLD
    assert names(path.parent) == sorted(["precious"] + [partial(path).name] * (other != "nothing"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names for descriptors")
def test_a_link_in_the_place_of_a_partial_file_is_not_written_through(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the creation of the file and the moment at which a library opens it."""
    precious = path.parent / "precious"
    precious.write_text(OLD)
    create = files._created

    def swapped(first: Path) -> tuple[Path, int]:
        name, descriptor = create(first)
        name.unlink()
        name.symlink_to(precious)
        return name, descriptor

    monkeypatch.setattr(files, "_created", swapped)
    sink = make(path)
    write_numbered(sink, 5)
    with pytest.raises(OutputError, match=r"was removed or replaced"):
        sink.close()
    assert precious.read_text() == OLD


# after the end


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_write_after_the_end_raises_and_changes_nothing(path: Path, make: Make, end: str) -> None:
    sink = make(path)
    write_numbered(sink, 3)
    getattr(sink, end)()
    kept = path if end == "close" else partial(path)
    before = kept.read_bytes()
    with pytest.raises(ValueError, match=f"^write to a closed {type(sink).__name__}$"):
        sink.write(result_with_face(3), numbered_picture(3))
    assert kept.read_bytes() == before
    assert names(path.parent) == [kept.name]


@pytest.mark.parametrize("first", ["close", "abort"])
@pytest.mark.parametrize("second", ["close", "abort"])
def test_a_second_end_does_nothing(path: Path, make: Make, first: str, second: str) -> None:
    sink = make(path)
    write_numbered(sink, 3)
    getattr(sink, first)()
    before = names(path.parent)
    getattr(sink, second)()
    assert names(path.parent) == before == [(path if first == "close" else partial(path)).name]


# as a context manager


@pytest.mark.parametrize(
    ("error", "complete"),
    [(None, True), (KeyboardInterrupt, True), (ZeroDivisionError, False), (SystemExit, False)],
)
def test_a_context_manager_closes_after_success_and_ctrl_c_and_aborts_otherwise(
    path: Path, make: Make, error: type[BaseException] | None, complete: bool
) -> None:
    def run() -> None:
        with make(path) as sink:
            write_numbered(sink, 7)
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    assert names(path.parent) == [(path if complete else partial(path)).name]
    assert results_in(path if complete else partial(path)) == 7
