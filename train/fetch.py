"""`python -m train fetch`: the official archive of the Udacity facial-keypoints data set, downloaded,
checked, unpacked.

Nothing reaches the target folder before the whole archive was read, its check sums held and its CSV files fitted its
images; what is interrupted stays in a ``.part`` file beside the target and is continued by the same command.
"""

from __future__ import annotations

import argparse
import errno
import http.client
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tqdm import tqdm

from fkp_live.errors import ExitCode, FkpError, InputError, OutputError, UsageError
from train.data import read_csv

OFFICIAL_URL = "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip"
CSV_FILES = ("training_frames_keypoints.csv", "test_frames_keypoints.csv")
IMAGE_FOLDERS = ("training", "test")
# The official archive unpacks to well under 2 GB; what wants more is not it.
MAX_BYTES = 4 << 30
_CHUNK = 1 << 18
_TIMEOUT = 30.0
_ATTEMPTS = 5
_EXPECTED = (
    f"Expected a zip with {', '.join(f'{name}/' for name in IMAGE_FOLDERS)}, {' and '.join(CSV_FILES)}."
)


@dataclass(frozen=True, slots=True)
class _Version:
    """Which file a ``.part`` is the beginning of: written beside it, compared before it is continued."""

    url: str
    etag: str
    modified: str
    size: int | None

    @property
    def validator(self) -> str:
        """What If-Range may carry: a strong ETag, else a date, else nothing."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


def download(url: str, part: Path, *, attempts: int = _ATTEMPTS, pause: float = 1.0) -> None:
    """Download ``url`` to the file ``part``, continuing what is there already.

    A cut connection is taken up again up to ``attempts`` times in a row without progress, ``pause`` seconds apart.

    Raises
    ------
    UsageError
        The address is not http or https, or is none at all.
    InputError
        The server refuses, or the connection stays cut; ``part`` then holds what arrived.
    OutputError
        ``part`` cannot be written.
    """
    if not _is_address(url):
        raise UsageError(
            f"cannot download '{url}'",
            "Expected an http:// or https:// address; a space in it is written %20.",
        )
    failures, reason = 0, ""
    with tqdm(
        unit="B", unit_scale=True, unit_divisor=1024, desc="download", file=sys.stderr, disable=None
    ) as bar:
        while failures < attempts:
            before = _size(part)
            try:
                if _transfer(url, part, bar):
                    _notes(part).unlink(missing_ok=True)
                    return
                reason = "the connection was cut"
            except urllib.error.HTTPError as error:
                raise InputError(
                    f"{url} answered {error.code} {error.reason}",
                    "Check the address, or give --url another one.",
                ) from error
            except urllib.error.URLError as error:
                reason = str(error.reason)
            except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
                reason = str(error) or type(error).__name__
            except OSError as error:
                raise OutputError(
                    f"cannot write {part}: {error.strerror}", "Choose another folder with --to."
                ) from error
            failures = 0 if _size(part) > before else failures + 1
            time.sleep(pause)
    raise InputError(
        f"download of {url} stopped after {_size(part):,} bytes: {reason}",
        "Run the same command again: it continues where it stopped.",
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only asking for the port tells whether it is a number.
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and re.fullmatch("[!-~]+", url) is not None


def _transfer(url: str, part: Path, bar: tqdm[None]) -> bool:
    """One connection; True if the file is whole afterwards."""
    start, known = _size(part), _read_notes(part)
    request = urllib.request.Request(url, headers={"User-Agent": "fkp-live", "Accept-Encoding": "identity"})
    if start and known is not None and known.url == url and (known.validator or known.size):
        request.add_header("Range", f"bytes={start}-")
        if known.validator:
            request.add_header("If-Range", known.validator)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing after the last byte: the file is whole, or it is not the file that was begun.
        error.close()
        if known is not None and known.size == start:
            return True
        part.unlink()
        return False
    with response:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        continues = response.status == 206 and found is not None and int(found[1]) == start
        total = _total(response, found[2] if continues and found else None)
        version = _Version(
            url, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""), total
        )
        if response.status == 206 and (not continues or version != known):
            part.unlink(missing_ok=True)  # the server's file is another one by now: from the beginning
            return False
        _notes(part).write_text(json.dumps(asdict(version)))
        bar.total = total
        bar.reset(total)
        bar.update(start if continues else 0)
        with open(part, "ab" if continues else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total is None or _size(part) == total


def _total(response: http.client.HTTPResponse, of_range: str | None) -> int | None:
    text = response.headers.get("Content-Length", "") if of_range is None else of_range
    return int(text) if text and text.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_notes(part: Path) -> _Version | None:
    try:
        return _Version(**json.loads(_notes(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def unpack(archive: Path, target: Path, *, overwrite: bool = False, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a checked archive into the folder ``target``.

    The archive may hold the data set below other folders, and macOS's own files. With ``overwrite`` the data set's two
    folders and two CSV files are replaced; whatever else lies in ``target`` is left alone.

    Raises
    ------
    InputError
        It is not a zip, is cut short or damaged, holds hostile entries or is not this data set; nothing is written.
    OutputError
        ``target`` exists and ``overwrite`` is not set, or cannot be written.
    """
    check_target(target, overwrite=overwrite)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, archive, max_bytes)
            _unpack_members(opened, members, archive, target)
    except OSError as error:
        raise InputError(f"cannot read the archive {archive}: {error.strerror}", _EXPECTED) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(
            f"{archive} is not a whole zip archive: {error}", "It was cut short or damaged: fetch it again."
        ) from error


def check_target(target: Path, *, overwrite: bool) -> None:
    """OutputError if the folder must not be written."""
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file, expected a folder to unpack into", "Choose another --to.")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise OutputError(
            f"{target} exists and is not empty",
            "Give --overwrite to replace the data set in it, or another --to.",
        )


def _members(opened: zipfile.ZipFile, archive: Path, max_bytes: int) -> dict[zipfile.ZipInfo, PurePosixPath]:
    """Entries to unpack and their path below the target; InputError if any entry of the archive is hostile."""
    files: dict[zipfile.ZipInfo, PurePosixPath] = {}
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename)
        # zipfile keeps what the archive says; both separators, drives and parents are judged here.
        raw = entry.orig_filename
        if path.is_absolute() or ".." in path.parts or "\\" in raw or ":" in raw or "\0" in raw:
            raise InputError(f"{archive}: entry '{raw}' would leave the folder", "Do not trust this archive.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"{archive}: entry '{raw}' is a symbolic link", "Do not trust this archive.")
        if entry.flag_bits & 0x1:
            raise InputError(f"{archive}: entry '{raw}' is encrypted", _EXPECTED)
        junk = "__MACOSX" in path.parts or path.name == ".DS_Store" or path.name.startswith("._")
        if not entry.is_dir() and not junk:
            files[entry] = path
    total = sum(entry.file_size for entry in files)
    if total > max_bytes:
        raise InputError(f"{archive} unpacks to {total:,} bytes, more than {max_bytes:,}", _EXPECTED)
    roots = {path.parent for path in files.values() if path.name == CSV_FILES[0]}
    if len(roots) != 1:
        raise InputError(f"{archive} holds {len(roots)} files {CSV_FILES[0]}, expected one", _EXPECTED)
    root = roots.pop()
    below = {entry: path.relative_to(root) for entry, path in files.items() if path.is_relative_to(root)}
    wanted = {
        entry: path
        for entry, path in below.items()
        if str(path) in CSV_FILES or (len(path.parts) == 2 and path.parts[0] in IMAGE_FOLDERS)
    }
    present = {path.parts[0] for path in wanted.values()}
    for name in (*CSV_FILES, *IMAGE_FOLDERS):
        if name not in present:
            raise InputError(f"{archive} holds no {name}", _EXPECTED)
    if len(set(wanted.values())) != len(wanted):
        raise InputError(f"{archive} holds the same file twice", _EXPECTED)
    return wanted


def _unpack_members(
    opened: zipfile.ZipFile, members: dict[zipfile.ZipInfo, PurePosixPath], archive: Path, target: Path
) -> None:
    """Unpack beside the target, check the CSV files against the images, then move into place."""
    existed = target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        # Inside the target: the same file system, so that the last step is a rename.
        room = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target))
    except OSError as error:
        raise OutputError(f"cannot write into {target}: {error.strerror}", "Choose another --to.") from error
    old = target / room.name.replace("unpacking", "replaced")
    try:
        old.mkdir()
        for entry, path in tqdm(members.items(), desc="unpack", unit="file", file=sys.stderr, disable=None):
            place = room / path
            place.parent.mkdir(exist_ok=True)
            # Reading to the end checks the entry's CRC; copying the name's last part only is safe after `_members`.
            with opened.open(entry) as source, open(place, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
        for name in CSV_FILES:
            try:
                read_csv(room / name)
            except FkpError as error:
                inside = str(error.message).replace(f"{room}{os.sep}", "")
                raise InputError(f"{archive} is not the data set: {inside}", _EXPECTED) from error
        _swap(room, target, old)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{archive}: a name in it is too long for {target}", _EXPECTED) from error
        raise OutputError(
            f"cannot write into {target}: {error.strerror}", "Make room there, or choose another --to."
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
        with suppress(OSError):
            old.rmdir()  # only if nothing had to stay there
        if not existed:
            with suppress(OSError):
                target.rmdir()  # only if nothing was moved in


def _swap(room: Path, target: Path, old: Path) -> None:
    """Move the data set from ``room`` to ``target`` and the one that was there to ``old``; after any failure, back."""
    names = (*IMAGE_FOLDERS, *CSV_FILES)
    try:
        for name in names:
            if (target / name).exists():
                (target / name).rename(old / name)
            (room / name).rename(target / name)
    except BaseException:
        for name in names:
            if not (room / name).exists():
                (target / name).rename(room / name)
            if (old / name).exists():
                (old / name).rename(target / name)
        raise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train fetch`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--url", default=OFFICIAL_URL, help="address of the archive (default: the official one)"
    )
    source.add_argument("--archive", type=Path, help="a zip that is here already")
    parser.add_argument(
        "--to", type=Path, required=True, help="folder of the data set, for example data/udacity"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the data set in a folder that exists"
    )


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train fetch`."""
    # "." and ".." have no name of their own to put a .part beside.
    target: Path = args.to.resolve() if args.to.name in ("", "..") else args.to
    check_target(target, overwrite=args.overwrite)
    if args.archive is not None:
        unpack(args.archive, target, overwrite=args.overwrite)
    else:
        part = target.parent / f"{target.name}.zip.part"
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make {part.parent}: {error.strerror}", "Choose another --to."
            ) from error
        download(args.url, part)
        try:
            unpack(part, target, overwrite=args.overwrite)
        except InputError:
            part.unlink()  # whole but wrong: there is nothing to continue
            raise
        part.unlink()
    for name in CSV_FILES:
        print(f"{target / name}: {len(read_csv(target / name))} faces")
    return ExitCode.OK
