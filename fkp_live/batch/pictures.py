"""The table of all pictures of a batch, put together from what was kept of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fkp_live.batch.items import PICTURE, Item
from fkp_live.batch.records import place
from fkp_live.batch.tables import open_table
from fkp_live.errors import InputError
from fkp_live.sources.recordings import Recording, open_recording
from fkp_live.sources.spec import natural
from fkp_live.stream import settled
from fkp_live.types import FrameResult

# Other machines finish pictures while the table is written; after that it is looked at again.
_MOST_ROUNDS = 3


def write_pictures(
    out: Path, form: str, items: Sequence[Item], is_done: Callable[[Item], bool]
) -> Path | None:
    """Write ``pictures.<form>``: the faces of every picture that is done, ``file`` first, in natural order.

    Parameters
    ----------
    out : folder of the batch
    form : one of `choices.TABLE_FORMATS`
    items : all of the sources, those of other shards too
    is_done : whether an item has its result

    Returns
    -------
    The table; None where no picture is done.

    Raises
    ------
    OutputError : it cannot be written
    """
    pictures = sorted((i for i in items if i.kind == PICTURE), key=lambda item: natural(Path(item.name)))
    target, written = out / f"pictures.{form}", -1
    for _ in range(_MOST_ROUNDS):
        done = [item for item in pictures if is_done(item)]
        if len(done) <= written:
            break
        written = len(done)
        if done:
            _write(out, target, form, done)
    return target if written else None


def _write(out: Path, target: Path, form: str, items: Sequence[Item]) -> None:
    # A name of this process's own, because another machine may write the table at the same time.
    partial = out / f"pictures-{os.getpid()}.partial.{form}"
    results = (replace(_result(out, item), index=index) for index, item in enumerate(items))
    try:
        with settled(
            open_table(partial, form, _header(out, items[0]), [item.name for item in items])
        ) as table:
            for result in results:
                table.write(result, None)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _result(out: Path, item: Item) -> FrameResult:
    with _opened(out, item) as recording:
        for result in recording:
            return result
    raise _spoilt(out, item)


def _header(out: Path, first: Item) -> dict[str, Any]:
    with _opened(out, first) as recording:
        header = {name: value for name, value in recording.header.items() if name != "schema"}
    return header | {"source": {"name": "pictures"}}


def _opened(out: Path, item: Item) -> Recording:
    try:
        return open_recording(out / place("points", item.key, ".jsonl"))
    except InputError as error:
        raise _spoilt(out, item) from error


def _spoilt(out: Path, item: Item) -> InputError:
    """The error for a result that was changed after it was recorded."""
    path = out / place("points", item.key, ".jsonl")
    return InputError(
        f"{path}, the result of {item.name}, is damaged.", "Remove it, and run the batch again."
    )
