"""Damage to files: bytes changed, moved, cut off and inserted as disks, networks, editors and attackers do it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_HEAD = 2048  # bytes at either end in which half of the damage is done: headers and indexes are there
_MOST_STEPS = 4
_ODD_VALUES = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    (1 << 63) - 1,
    (1 << 64) - 1,
)

Step = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def damaged(data: bytes, chance: random.Random, others: Sequence[bytes]) -> tuple[bytes, list[str]]:
    """A damaged copy of a file, never empty, and the names of the steps that led to it.

    Parameters
    ----------
    data : the whole file
    chance : the source of every decision: the same state gives the same damage
    others : other whole files, of which parts may be taken
    """
    result, names = bytearray(data), []
    for _ in range(chance.choice((1, 1, 1, 2, _MOST_STEPS))):
        step = chance.choice(STEPS)
        step(result, chance, others)
        names.append(step.__name__)
        if not result:
            result += data[:1]
    return bytes(result), names


def flip(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    for _ in range(chance.choice((1, 1, 3, 20, 200))):
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at, length = _block(data, chance)
    data[at : at + length] = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))


def swap(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    (a, length), b = _block(data, chance), _place(data, chance)
    length = min(length, len(data) - b, abs(a - b))
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]


def truncate(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    del data[
        chance.choice((_place(data, chance), len(data) - chance.randrange(1, min(len(data), 100) + 1))) :
    ]


def remove(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at, length = _block(data, chance)
    del data[at : at + length]


def insert(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at, length = _block(data, chance)
    data[at:at] = chance.choice((data[at : at + length], chance.randbytes(length), bytes(length)))


def number(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Change what may be a length, a count, a size or a time."""
    width, order = chance.choice((1, 2, 4, 4, 4, 8)), chance.choice(("big", "little"))
    at = min(_place(data, chance), max(len(data) - width, 0))
    if (tags := _tags(data)) and chance.random() < 0.5:
        # Beside the four letters that name a part of a file, or within the fields that follow.
        at = max(chance.choice(tags) + chance.choice((-4, 4, 8, 12, 16, 20, 24)), 0)
    value = int.from_bytes(data[at : at + width], order)
    odd = chance.choice((*_ODD_VALUES, value + 1, value - 1, value * 2, value // 2, len(data), -value))
    data[at : at + width] = (odd % (1 << 8 * width)).to_bytes(width, order)


def rename(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Give one part of a file the four letters of another."""
    if tags := _tags(data):
        a, b = chance.choice(tags), chance.choice(tags)
        data[a : a + 4] = data[b : b + 4]


def append(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    data += chance.choice((bytes(data), *others))


def splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Go on with the rest of another file."""
    other = chance.choice(others)
    del data[_place(data, chance) :]
    data += other[chance.randrange(len(other)) :]


STEPS: tuple[Step, ...] = (
    *(flip, flip, overwrite, swap, truncate, truncate, remove),
    *(insert, number, number, number, rename, append, splice),
)


def _place(data: Sequence[int], chance: random.Random) -> int:
    length = len(data)
    where = chance.random()
    if where < 0.3:
        return chance.randrange(min(length, _HEAD))
    if where < 0.5:
        return length - 1 - chance.randrange(min(length, _HEAD))
    return chance.randrange(length)


def _block(data: Sequence[int], chance: random.Random) -> tuple[int, int]:
    at = _place(data, chance)
    return at, chance.randrange(1, min(chance.choice((8, 64, 1024, 8192)), len(data) - at) + 1)


def _tags(data: bytes | bytearray) -> list[int]:
    return [found.start() for found in re.finditer(rb"[A-Za-z]{3}[A-Za-z0-9 ]", data)][:2000]
