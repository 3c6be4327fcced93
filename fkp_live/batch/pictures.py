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
from fkp_live.sources.recordings import open_recording
from fkp_live.sources.spec import natural
from fkp_live.stream import settled

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
    header, names = _header(out, items[0]), [item.name for item in items]
    try:
        with settled(open_table(partial, form, header, names)) as table:
            for index, item in enumerate(items):
                try:
                    with open_recording(out / place("points", item.key, ".jsonl")) as recording:
                        for result in recording:
                            table.write(replace(result, index=index), None)
                except InputError as error:
                    # Removed, or spoilt, after it was recorded.
                    error.hint = (
                        f"Remove {out / place('records', item.key, '.json')}, and run the batch again."
                    )
                    raise
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _header(out: Path, first: Item) -> dict[str, Any]:
    with open_recording(out / place("points", first.key, ".jsonl")) as recording:
        header = {name: value for name, value in recording.header.items() if name != "schema"}
    return header | {"source": {"name": "pictures"}}
