"""`python -m train fetch`: the official archive of the Udacity facial-keypoints data set, downloaded,
checked, unpacked.

Nothing reaches the target folder before the whole archive was read, its check sums are right and its CSV files fit its
images. An interrupted download stays in a ``.part`` file beside the target, and the same command continues it. Should
the server's file have changed meanwhile, the check sums of the mixed archive fail and it is deleted.
"""

from __future__ import annotations

import argparse
import errno
import http.client
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
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tqdm import tqdm

from fkp_live.errors import ExitCode, FkpError, InputError, OutputError, UsageError
from train.data.faces import read_csv

OFFICIAL_URL = "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip"
CSV_FILES = ("training_frames_keypoints.csv", "test_frames_keypoints.csv")
IMAGE_FOLDERS = ("training", "test")
# The official archive unpacks to well under 2 GB.
MAX_BYTES = 4 << 30
_CHUNK = 1 << 18
_TIMEOUT = 30.0
_ATTEMPTS = 5
_EXPECTED = (
    f"Expected a zip with {', '.join(f'{name}/' for name in IMAGE_FOLDERS)}, {' and '.join(CSV_FILES)}."
)


def download(url: str, part: Path, *, attempts: int = _ATTEMPTS, pause: float = 1.0) -> None:
    """Download ``url`` to the file ``part``, continuing what is there already.

    A connection that was cut is opened again, up to ``attempts`` times in a row without progress, ``pause`` seconds
    apart.

    Raises
    ------
    UsageError
        The address is not an http or https address.
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
        # The port is parsed, and may raise, only when it is read.
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and re.fullmatch("[!-~]+", url) is not None


def _transfer(url: str, part: Path, bar: tqdm[None]) -> bool:
    """One connection; True if the file is complete afterwards."""
    start = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "fkp-live", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # The server has nothing after byte ``start``: the file is complete, or it is not the one that was begun.
        total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        error.close()
        if total is not None and int(total[1]) == start:
            return True
        part.unlink()
        return False
    with response:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        continues = response.status == 206 and found is not None and int(found[1]) == start
        if response.status == 206 and not continues:
            part.unlink(missing_ok=True)  # another range than the one asked for: from the beginning
            return False
        total_size = _total(response, found[2] if continues and found else None)
        bar.total = total_size
        bar.reset(total_size)
        bar.update(start if continues else 0)
        with open(part, "ab" if continues else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total_size is None or _size(part) == total_size


def _total(response: http.client.HTTPResponse, of_range: str | None) -> int | None:
    text = response.headers.get("Content-Length", "") if of_range is None else of_range
    return int(text) if text and text.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def unpack(archive: Path, target: Path, *, overwrite: bool = False, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a checked archive into the folder ``target``.

    The archive may hold the data set below other folders, and macOS's own files. With ``overwrite`` the data set's two
    folders and two CSV files are replaced; other files in ``target`` stay.

    Raises
    ------
    InputError
        It is not a zip, is cut short or damaged, has unsafe entries or is not this data set; nothing is written.
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
            f"{archive} is not a complete zip archive: {error}",
            "It was cut short or damaged: fetch it again.",
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
    """Entries to unpack and their path below the target; InputError if any entry is unsafe."""
    files: dict[zipfile.ZipInfo, PurePosixPath] = {}
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename)
        # zipfile keeps the archive's own names: separators of both kinds, drives and parents are checked here.
        raw = entry.orig_filename
        if path.is_absolute() or ".." in path.parts or "\\" in raw or ":" in raw or "\0" in raw:
            raise InputError(
                f"{archive}: entry '{raw}' would leave the folder", "The archive is not safe to unpack."
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(
                f"{archive}: entry '{raw}' is a symbolic link", "The archive is not safe to unpack."
            )
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
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target) as name:
            staging = Path(name)
            _extract(opened, members, staging)
            for csv in CSV_FILES:
                try:
                    read_csv(staging / csv)
                except FkpError as error:
                    inside = str(error.message).replace(f"{staging}{os.sep}", "")
                    raise InputError(f"{archive} is not the data set: {inside}", _EXPECTED) from error
            for name in (*IMAGE_FOLDERS, *CSV_FILES):
                old = target / name
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
                (staging / name).rename(old)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{archive}: a name in it is too long for {target}", _EXPECTED) from error
        raise OutputError(
            f"cannot write into {target}: {error.strerror}", "Make room there, or choose another --to."
        ) from error
    finally:
        if not existed:
            with suppress(OSError):
                target.rmdir()  # only if nothing was moved in


def _extract(opened: zipfile.ZipFile, members: dict[zipfile.ZipInfo, PurePosixPath], folder: Path) -> None:
    for entry, path in tqdm(members.items(), desc="unpack", unit="file", file=sys.stderr, disable=None):
        place = folder / path
        place.parent.mkdir(exist_ok=True)
        # Reading to the end checks the entry's CRC; its path was checked by `_members`.
        with opened.open(entry) as source, open(place, "wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train fetch`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--url", default=OFFICIAL_URL, help="address of the archive (default: the official one)"
    )
    source.add_argument("--archive", type=Path, help="a zip file on this machine")
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
            part.unlink()  # complete but wrong: there is nothing to continue
            raise
        part.unlink()
    for name in CSV_FILES:
        print(f"{target / name}: {len(read_csv(target / name))} faces")
    return ExitCode.OK
