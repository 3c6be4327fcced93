"""The items of an archive: what its sources name, each with a key that stays the same as long as its file does."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fkp_live.batch.lists import LIST_SUFFIXES, read_list
from fkp_live.errors import InputError, UsageError
from fkp_live.sources.spec import (
    CHECK_ACCESS,
    CHECK_SPELLING,
    PICTURE_SUFFIXES,
    is_hidden,
    names_many,
    natural,
    resolve,
    without_password,
)

FILM, PICTURE = "film", "picture"
# What is taken of a folder. A file that is named itself may have any ending.
_FILMS = (
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpeg .mpg .mts .mxf "
    ".ogv .ts .vob .webm .wmv .y4m"
)
FILM_SUFFIXES = frozenset(_FILMS.split())
# A single picture to whoever looks at it, though FFmpeg opens it like a film.
_STILLS = frozenset({*PICTURE_SUFFIXES, ".avif", ".heic", ".heif"})


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a film.

    Attributes
    ----------
    number : of the part, from 0
    start, end : seconds from the beginning of the film; ``end`` None: to its end
    """

    number: int
    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Item:
    """One film, part of a film, or picture to be worked on.

    Attributes
    ----------
    key : 32 hexadecimal digits, from the name, size and date of the file, or from the URL
    name : for people: path below the folder or pattern that was given, or URL without its password
    where : absolute path, or URL; may hold a password
    kind : `FILM` or `PICTURE`
    size : bytes, None of a URL or of a file that is not there
    segment : the part of the film, None for all of it
    """

    key: str
    name: str
    where: str = field(repr=False)
    kind: str
    size: int | None = None
    segment: Segment | None = None

    def part(self, segment: Segment, seconds: float) -> Item:
        """A part of this film; ``seconds``: the length of parts that was asked for."""
        return replace(
            self, key=_hash(self.key, f"segment {segment.number} of {seconds:g} s"), segment=segment
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What the sources of a batch name.

    Attributes
    ----------
    items : each file once, in the order in which they were found
    problems : folders that cannot be entered, with the reason
    ignored : number of other files in the folders, by ending
    """

    items: tuple[Item, ...]
    problems: tuple[str, ...] = ()
    ignored: Counter[str] = field(default_factory=Counter)


def list_items(sources: Sequence[str], *, without: Path | None = None) -> Listing:
    """The items that these sources name. Nothing is opened but folders and lists.

    Parameters
    ----------
    sources : files, folders (with all below them), patterns, URLs, and lists of those (.txt, .csv, .parquet)
    without : a folder to pass over, the one that is written to

    Raises
    ------
    InputError : a source does not exist, or names nothing
    UsageError : a source is a camera, or the folder that is written to
    """
    finder = _Finder(without)
    for source in sources:
        finder.add(source)
    if not finder.items and not finder.problems:
        raise InputError(
            f"There is no film and no picture in {', '.join(sources)}.",
            f"Films end in {', '.join(sorted(FILM_SUFFIXES))}; pictures in {', '.join(sorted(_STILLS))}.",
        )
    return Listing(tuple(finder.items), tuple(finder.problems), finder.ignored)


def in_shard(item: Item, number: int, count: int) -> bool:
    """Whether an item belongs to shard ``number`` (from 0) of ``count``."""
    return int(item.key, 16) % count == number


def segments_of(duration: float, seconds: float) -> list[Segment]:
    """A film of ``duration`` seconds in parts of ``seconds``; the last one is half to one and a half times as long."""
    count = max(1, round(duration / seconds))
    return [
        Segment(number, number * seconds, (number + 1) * seconds if number + 1 < count else None)
        for number in range(count)
    ]


class _Finder:
    def __init__(self, without: Path | None) -> None:
        self.items: list[Item] = []
        self.problems: list[str] = []
        self.ignored: Counter[str] = Counter()
        self._without = None if without is None else os.path.realpath(without)
        self._places: set[str] = set()  # absolute paths and URLs that are items already
        self._keys: set[str] = set()
        self._entered: set[tuple[int, int]] = set()

    def add(self, source: str) -> None:
        """All items of one source of the command line."""
        where = resolve(source)
        if isinstance(where, str):
            self._add_url(where)
        elif not isinstance(where, Path):
            raise UsageError(
                f"{source} is a camera, but a batch works on files.", "Give files, folders or lists."
            )
        elif os.path.isdir(where):
            if os.path.realpath(where) == self._without:
                # Its annotated films would be items of the next run.
                raise UsageError(
                    f"{source} is the folder of the films and of the results.", "Choose another --out."
                )
            self._add_folder(os.path.abspath(where), os.path.abspath(where), top=True)
        elif names_many(where):
            self._add_pattern(where)
        elif not os.path.exists(where):
            raise InputError(f"There is no file {where}.", CHECK_SPELLING)
        elif where.suffix.lower() in LIST_SUFFIXES:
            for entry in read_list(where):
                self._add_entry(entry, where.parent)
        else:
            self._add_file(os.path.abspath(where), os.path.normpath(where))

    def _add_entry(self, entry: str, folder: Path) -> None:
        """An entry of a list. A file that is not there becomes an item that fails, and does not end the batch."""
        try:
            where = resolve(entry if not entry.isdecimal() else f"./{entry}")
        except InputError as error:
            self.problems.append(str(error.message))
            return
        if isinstance(where, str):
            self._add_url(where)
        elif isinstance(where, Path):
            beside = folder / where
            path = where if not os.path.lexists(beside) and os.path.lexists(where) else beside
            if os.path.isdir(path):
                self._add_folder(os.path.abspath(path), os.path.abspath(folder), top=True)
            else:
                self._add_file(os.path.abspath(path), os.path.normpath(where))
        else:
            self.problems.append(f"{entry} is a camera, but a batch works on files")

    def _add_pattern(self, pattern: Path) -> None:
        base = os.path.abspath(_fixed_part(pattern))
        found = sorted(map(Path, glob.glob(str(pattern), recursive=True)), key=natural)
        if not found:
            raise InputError(f"The pattern {pattern} matches no file.", CHECK_SPELLING)
        for path in found:
            if os.path.isdir(path):
                self._add_folder(os.path.abspath(path), base, top=False)
            elif _kind_of(str(path)):
                self._add_file(os.path.abspath(path), os.path.relpath(os.path.abspath(path), base))
            else:
                self.ignored[path.suffix.lower()] += 1

    def _add_folder(self, folder: str, base: str, *, top: bool) -> None:
        """Films and pictures of a folder and of all below it, in natural order; hidden ones are passed over."""
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self._entered or os.path.realpath(folder) == self._without:
                return  # a link that leads back, or two sources of which one holds the other
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: natural(Path(entry.name)))
        except OSError as error:
            if top:
                raise InputError(f"{folder} cannot be opened: {error.strerror}.", CHECK_ACCESS) from error
            self.problems.append(f"{folder} cannot be opened: {error.strerror}")
            return
        for entry in found:
            if is_hidden(Path(entry.path)):
                continue
            if entry.is_dir():
                self._add_folder(entry.path, base, top=False)
            elif _kind_of(entry.name):
                self._add_file(entry.path, os.path.relpath(entry.path, base))
            else:
                self.ignored[Path(entry.name).suffix.lower()] += 1

    def _add_file(self, path: str, name: str) -> None:
        place = os.path.realpath(path)
        if place in self._places:
            return
        self._places.add(place)
        try:
            status = os.stat(path)
            # Whole seconds, because copies to other disks keep no more.
            size, date = (status.st_size if stat.S_ISREG(status.st_mode) else None), int(status.st_mtime)
        except OSError:
            size, date = None, 0
        key = _hash(name.replace(os.sep, "/"), str(size), str(date))
        self._append(Item(key, name, path, _kind_of(path) or FILM, size))

    def _add_url(self, url: str) -> None:
        if url in self._places:
            return
        self._places.add(url)
        name = without_password(url)
        self._append(Item(_hash(name), name, url, _kind_of(url.partition("?")[0]) or FILM))

    def _append(self, item: Item) -> None:
        if item.key in self._keys:
            # Copies of one file under one name in two sources, or URLs that differ in a password only.
            item = replace(item, key=_hash(item.key, item.where))
        self._keys.add(item.key)
        self.items.append(item)


def longest_first(items: Sequence[Item]) -> list[Item]:
    """Items in the order of work: unknown sizes, then the largest, so that no long film is left for the end."""
    return sorted(items, key=lambda item: (item.size is not None, -(item.size or 0)))


def _kind_of(name: str) -> str | None:
    """The kind of a file by its ending, None where it is not known."""
    suffix = os.path.splitext(name)[1].lower()
    return PICTURE if suffix in _STILLS else FILM if suffix in FILM_SUFFIXES else None


def _fixed_part(pattern: Path) -> Path:
    """The folder that holds all a pattern can match."""
    parts = list(_until_magic(pattern.parts))
    return Path(*parts) if parts else Path()


def _until_magic(parts: Sequence[str]) -> Iterator[str]:
    for part in parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def _hash(*texts: str) -> str:
    """32 hexadecimal digits of texts, which may hold undecodable bytes of names."""
    whole = "\0".join(texts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(whole).hexdigest()[:32]
