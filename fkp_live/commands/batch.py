"""``fkp-live batch``: an archive of films and pictures, from the words of the command line to the list of failures."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fkp_live.commands.batch_options import LOCAL, BatchOptions, parse
from fkp_live.commands.batch_progress import batch_progress, one_line
from fkp_live.commands.signals import INTERRUPTED, Stops
from fkp_live.console import log, say
from fkp_live.errors import ExitCode, OutputError
from fkp_live.wording import counted

if TYPE_CHECKING:
    from fkp_live.batch.archive import Archive, Tally
    from fkp_live.batch.items import Item, Listing
    from fkp_live.batch.pool import Pool
    from fkp_live.batch.work import Plan

_GIGABYTE = 1e9


def main(words: Sequence[str], stops: Stops) -> int:
    """Carry out ``fkp-live batch`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For wrong options, sources that do not exist, a model or provider that does not work, a folder that cannot be
        written to. A broken item is none of these: it is listed in the end, and the code is 1.
    """
    options = parse(words)
    # Not at the top: OpenCV and onnxruntime take longer to load than --help or a mistyped option needs.
    from fkp_live.batch.archive import Archive
    from fkp_live.batch.items import in_shard, list_items
    from fkp_live.batch.pictures import write_pictures
    from fkp_live.batch.tables import check_format
    from fkp_live.batch.work import Plan

    check_format(options.form)
    listing = list_items(options.sources, without=options.out)
    plan = Plan(
        options.form,
        options.pipeline,
        annotate=options.annotate,
        crops=options.crops,
        segment=options.segment,
        max_pixels=options.max_pixels,
    )
    archive = Archive(options.out, plan, retry_failed=options.retry_failed, stale=options.stale)
    archive.add(item for item in listing.items if in_shard(item, *options.shard))
    if options.dry_run:
        _say_plan(listing, archive)
        return int(ExitCode.OK)
    _make_folder(options)
    if not options.quiet:
        _say_ignored(listing)
    ended = archive.total - len(archive.waiting)
    stops.finish_files(archive)
    tally = archive.tally
    if archive.waiting:
        progress = batch_progress(options.progress, archive.total, ended, quiet=options.quiet)
        with progress:
            pool = _pool(options, plan, len(archive.waiting))
            stops.renew()
            tally = archive.run(pool, progress)
    table = None
    if not stops.asked:
        table = write_pictures(options.out, options.form, listing.items, archive.is_done)
    _say_end(options, tally, listing, str(table) if table else None)
    if stops.asked:
        if not options.quiet:
            log("Stopped on request; run the same command again to go on.")
        return INTERRUPTED
    return int(ExitCode.FAILURE if tally.failed or listing.problems else ExitCode.OK)


def prepare() -> None:
    """What belongs to a worker process as a whole, done first in it: signals, OpenCV, niceness."""
    import cv2

    # Ctrl-C reaches every process of a terminal; the parent decides, and ends its workers.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    # As in a run: a worker for each core leaves nothing for threads of OpenCV.
    cv2.setNumThreads(1)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Signals wait while a process is started, which inherits that: else one could hit it before `prepare`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pool(options: BatchOptions, plan: Plan, items: int) -> Pool:
    if options.ray is not None:
        from fkp_live.batch.ray import RayActors

        address = None if options.ray == LOCAL else options.ray
        report = log if not options.quiet else _silent
        return RayActors(plan, address, options.workers, items, prepare, report)
    from fkp_live.batch.cores import usable_cores
    from fkp_live.batch.processes import Processes

    count = min(options.workers or usable_cores(), items)
    return Processes(count, plan, prepare, signals_held_back)


def _silent(text: str) -> None:
    pass


def _make_folder(options: BatchOptions) -> None:
    try:
        for name in ("records", "claims"):
            (options.out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {options.out} cannot be made or written to: {error.strerror}.",
            "Choose another folder.",
        ) from error


def _say_plan(listing: Listing, archive: Archive) -> None:
    """The result of a dry run: what is to be done, longest first, and how the archive stands."""
    for item in archive.waiting:
        say(_named(item))
    sizes = [item.size for item in archive.waiting if item.size is not None]
    tally = archive.tally
    log(
        f"to do: {counted(len(archive.waiting), 'item')}, {sum(sizes) / _GIGABYTE:.2f} GB; "
        f"done before: {tally.skipped}; failed before: {len(tally.failed)}"
    )
    _say_failed(tally)
    _say_ignored(listing)


def _say_ignored(listing: Listing) -> None:
    if listing.ignored:
        kinds = ", ".join(
            f"{count} {ending or 'without ending'}" for ending, count in listing.ignored.most_common(5)
        )
        log(
            f"passed over, neither film nor picture: {counted(sum(listing.ignored.values()), 'file')} ({kinds})"
        )


def _say_end(options: BatchOptions, tally: Tally, listing: Listing, table: str | None) -> None:
    _say_failed(tally)
    for problem in listing.problems:
        say(f"failed: {one_line(problem)}")
    for item, by in tally.elsewhere:
        say(f"in work elsewhere: {_named(item)} ({by})")
    if options.quiet:
        return
    if tally.failed:
        say("What failed is tried again with --retry-failed.")
    failed = len(tally.failed) + len(listing.problems)
    figures = f"done {tally.done}, failed {failed}, skipped {tally.skipped}"
    more = f", in work elsewhere {len(tally.elsewhere)}" if tally.elsewhere else ""
    say(f"{figures}{more}; {counted(tally.frames, 'frame')}, {counted(tally.faces, 'face')}")
    if table is not None:
        say(f"written: {table}")
    say(f"written: {options.out}")
    if tally.note:
        log(tally.note)


def _say_failed(tally: Tally) -> None:
    for item, reason in tally.failed:
        text = " ".join(reason.split())
        say(f"failed: {_named(item)}: {text}")


def _named(item: Item) -> str:
    part: Any = item.segment
    return one_line(item.name) if part is None else f"{one_line(item.name)} from {part.start:g} s"
