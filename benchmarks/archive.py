"""Throughput of ``fkp-live batch``: workers, Ray, overhead, and what a resume costs.

    python -m benchmarks.archive [throughput] [overhead] [resume] [--films 24] [--rounds 3] [--json FILE]

- throughput: items a second with 1 and 2 workers, and with 1 and 2 actors of a local Ray, in turn within each round;
  times are those of the work alone, from the first item that was begun to the last that ended, because a start takes
  as long for one film as for a million. Of two it is also said what the machine gives at all: the same films by
  `process_stream` in one process, and in two at once.
- overhead, in processor time: the work at a film over `process_stream` with the same sink, in turn; and what the batch
  itself does for an item (claim, record, names), with workers that need no time.
- resume: seconds and memory for the records of an archive that is done, synthetic ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.make_archive import make_archive
from benchmarks.script import result_file
from fkp_live.batch.archive import Archive
from fkp_live.batch.items import FILM, Item, list_items
from fkp_live.batch.pool import Ended, Finished, Moved
from fkp_live.batch.records import options_hash, write_record
from fkp_live.batch.work import Job, Plan, Worker
from fkp_live.choices import PipelineOptions
from fkp_live.commands.batch import prepare
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import CsvSink
from fkp_live.sources import open_source
from fkp_live.stream import process_stream

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("throughput", "overhead", "resume")
PLAN = Plan("csv", PipelineOptions(provider="cpu"))


def batch_seconds(archive: Path, *words: str) -> float:
    """Seconds of the work of a batch: from the first item that was begun to the last that ended."""
    with tempfile.TemporaryDirectory() as out:
        _run("-m", "fkp_live", "batch", str(archive), "--out", out, "--format", "csv", "--quiet", *words)
        records = [json.loads(path.read_text()) for path in Path(out).glob("records/*/*")]
        # The date of a record's file is when the item ended; it began by its seconds before that.
        ends = [path.stat().st_mtime for path in Path(out).glob("records/*/*")]
        begins = [end - record["seconds"] for end, record in zip(ends, records, strict=True)]
        return max(ends) - min(begins)


def bare_seconds(archive: Path, processes: int) -> float:
    """Seconds of the same films by the engine's own loop, without batch: in one process, or divided among several."""
    code = f"from benchmarks.archive import work; work({str(archive)!r}, %d, {processes})"
    running = [
        subprocess.Popen([sys.executable, "-c", code % number], stdout=subprocess.PIPE, text=True, env=_env())
        for number in range(processes)
    ]
    spans = [json.loads(process.communicate()[0]) for process in running]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def work(archive: str, number: int, count: int) -> None:
    """One of ``count`` processes: its share of the films, and the time of day before and after."""
    prepare()
    worker = Worker(PLAN)
    films = sorted(
        path for path in Path(archive).rglob("*") if path.is_file() and not path.name.startswith(".")
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.time()
        for place, film in enumerate(films[number::count]):
            into = Path(folder) / str(place)
            into.mkdir()
            worker.do(Job(Item(str(place), film.name, str(film), FILM), into))
        print(json.dumps([begin, time.time()]))


def throughput(archive: Path, films: int, rounds: int) -> dict[str, Any]:
    """Items a second of each way, and medians of ratios within the rounds."""
    ways = {
        "bare 1": lambda: bare_seconds(archive, 1),
        "workers 1": lambda: batch_seconds(archive, "--workers", "1"),
        "ray 1": lambda: batch_seconds(archive, "--ray", "--workers", "1"),
        "bare 2": lambda: bare_seconds(archive, 2),
        "workers 2": lambda: batch_seconds(archive, "--workers", "2"),
        "ray 2": lambda: batch_seconds(archive, "--ray", "--workers", "2"),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())

    def ratio(one: str, other: str) -> float:
        return round(median(a / b for a, b in zip(taken[one], taken[other], strict=True)), 3)

    return {
        "items a second": {name: round(films / median(seconds), 3) for name, seconds in taken.items()},
        "two processes over one, without batch": ratio("bare 1", "bare 2"),
        "two workers over one": ratio("workers 1", "workers 2"),
        "two actors over one": ratio("ray 1", "ray 2"),
        "time of one worker over one process without batch": ratio("workers 1", "bare 1"),
        "time of two actors over two workers": ratio("ray 2", "workers 2"),
        "time of one actor over one worker": ratio("ray 1", "workers 1"),
    }


def overhead(archive: Path, rounds: int) -> dict[str, Any]:
    """Processor time that a batch adds to `process_stream`, so that what else the machine does hardly matters."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"from benchmarks.archive import add_up; add_up({str(archive)!r}, {folder!r}, {rounds})"
        return json.loads(_run("-c", code))


def add_up(archive: str, folder: str, rounds: int) -> None:
    """In a process of its own: the work at a film beside the bare loop in turn, and the batch's own work at an item."""
    prepare()
    worker = Worker(PLAN)
    bare: list[float] = []
    batch: list[float] = []
    items = [item for item in list_items([archive]).items if item.kind == FILM]
    for number in range(rounds * len(items)):
        item, into = items[number % len(items)], Path(folder) / str(number)
        into.mkdir()
        both = [(bare, lambda: _bare(worker, item, into)), (batch, lambda: worker.do(Job(item, into)))]  # noqa: B023
        for taken, work_at in both if number % 2 else reversed(both):
            begun = time.process_time()
            work_at()
            taken.append(time.process_time() - begun)
    out, pool = Path(folder) / "out", _NoWork()
    many = [Item(f"{number:032x}", f"{number}.mp4", "/x", FILM) for number in range(1000)]
    run = Archive(out, PLAN)
    run.add(many)
    begun = time.process_time()
    run.run(pool, pool)
    each = (time.process_time() - begun) / len(many)
    ratios = [b / a for a, b in zip(bare, batch, strict=True)]
    print(
        json.dumps(
            {
                "work at a film over process_stream, median": round(median(ratios), 3),
                "ms of the batch for an item": round(1e3 * each, 2),
                "ms of process_stream for a film": round(1e3 * median(bare), 1),
            }
        )
    )


def _bare(worker: Worker, item: Item, into: Path) -> None:
    with open_source(item.where) as source, CsvSink(into / "bare.csv") as table:
        process_stream(source, Pipeline(PLAN.pipeline, engine=worker.engine), [table])


class _NoWork:
    """A pool whose workers need no time, and a watcher that sees nothing."""

    def __init__(self) -> None:
        self._job: Job | None = None

    def room(self) -> int:
        return int(self._job is None)

    def start(self, job: Job) -> None:
        self._job = job

    def events(self, seconds: float) -> list[Moved | Finished | Ended]:
        job, self._job = self._job, None
        if job is None:
            return []
        (job.folder / "points.csv").write_text("frame\n")
        report = {"status": "ok", "error": "", "frames": 1, "faces": 1, "files": {"points": "points.csv"}}
        return [Finished(job.item.key, report)]

    def close(self) -> None: ...
    def begun(self, item: Item) -> None: ...
    def moved(self, item: Item, frames: int, total: int | None) -> None: ...
    def ended(self, item: Item, error: str | None) -> None: ...
    def grown(self, total: int) -> None: ...
    def held(self, count: int, seconds: float) -> None: ...


def resume(records: int) -> dict[str, Any]:
    """Seconds and memory for taking in an archive that is done."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"from benchmarks.archive import take_in; take_in({folder!r}, {records})"
        return json.loads(_run("-c", code)) | {"records": records}


def take_in(folder: str, records: int) -> None:
    """In a process of its own: write the records, then read them as a resumed run does."""
    out = Path(folder)
    (out / "points").mkdir()
    point = out / "points" / "x.csv"
    point.write_text("frame\n")
    options = PLAN.options()
    content = {
        **{"source": "a folder/a film with a name.mp4", "kind": "film", "bytes": 10**9, "segment": None},
        **{"attempts": 1, "status": "ok", "error": "", "frames": 18000, "faces": 20000, "ids": 3},
        **{"size": [1280, 720], "fps": 30.0, "duration": 600.0, "note": "", "seconds": 300.0},
        "model": {"name": "fkp68", "sha256": "0" * 64, "licence": "weights: research and non-commercial use"},
        **{"provider": "cpu", "version": "0", "host": "h", "finished": "2026-01-01T00:00:00+00:00"},
        **{"files": {"points": "points/x.csv"}, "options": options, "options_hash": options_hash(options)},
    }
    keys = [f"{number * 2654435761 % 2**32:08x}{number:024x}" for number in range(records)]
    for key in keys:
        write_record(out, key, content, beside=out)
    bare = _resident()
    items = [Item(key, f"a folder/film {key}.mp4", f"/a folder/film {key}.mp4", FILM, 10**9) for key in keys]
    before = _resident()
    begun = time.perf_counter()
    archive = Archive(out, PLAN)
    archive.add(items)
    seconds = time.perf_counter() - begun
    assert archive.tally.skipped == records
    assert not archive.waiting
    megabytes = _resident() - before
    fullest = max(len(os.listdir(below)) for below in (out / "records").iterdir())
    figures = {"seconds": seconds, "MB of the items": before - bare, "MB of the records": megabytes}
    print(
        json.dumps({name: round(value, 1) for name, value in figures.items()} | {"most in a folder": fullest})
    )


def _resident() -> float:
    """Megabytes that this process holds in memory."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def _with_films(films: int, rounds: int, parts: Sequence[str]) -> dict[str, Any]:
    """The parts that need an archive."""
    with tempfile.TemporaryDirectory() as made:
        archive = Path(made) / "archive"
        # The first seven of `make_archive` are whole.
        for group in range(-(-films // 7)):
            make_archive(archive / str(group), min(7, films - 7 * group), 0, group, frames_each=(150, 180))
        found = {}
        if "throughput" in parts:
            found["throughput"] = throughput(archive, films, rounds)
        if "overhead" in parts:
            found["overhead"] = overhead(archive, rounds)
        return found


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=_env())
    if done.returncode:
        raise SystemExit(
            f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}"
        )
    return done.stdout


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def main(words: Sequence[str] | None = None) -> None:
    """Measure the parts that the command line names, all by default."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--json", type=result_file)
    options = parser.parse_args(words)
    found: dict[str, Any] = {"date": datetime.now().isoformat(timespec="minutes"), "cores": os.cpu_count()}
    parts = options.parts or PARTS
    if {"throughput", "overhead"} & {*parts}:
        found |= _with_films(options.films, options.rounds, parts)
    if "resume" in parts:
        found["resume"] = resume(options.records)
    text = json.dumps(found, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
