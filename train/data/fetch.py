"""`python -m train fetch`: the official archive of the Udacity facial-keypoints data set, downloaded,
checked, unpacked.

Nothing reaches the target folder before the whole archive was read, its check sums are right and its CSV files fit its
images. An interrupted download stays in a ``.part`` file beside the target, and the same command continues it. Should
the server's file have changed meanwhile, the check sums of the mixed archive fail and it is deleted.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from fkp_live.errors import ExitCode, FkpError, InputError, OutputError
from fkp_live.wording import counted
from train.data.download import Part, download
from train.data.faces import leads_out, read_csv

OFFICIAL_URL = "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip"
CSV_FILES = ("training_frames_keypoints.csv", "test_frames_keypoints.csv")
IMAGE_FOLDERS = ("training", "test")
# The official archive unpacks to well under 2 GB.
MAX_BYTES = 4 << 30
_CHUNK = 1 << 18
_EXPECTED = (
    f"Expected a zip with {', '.join(f'{name}/' for name in IMAGE_FOLDERS)}, {' and '.join(CSV_FILES)}."
)


def unpack(
    archive: Path,
    target: Path,
    *,
    overwrite: bool = False,
    max_bytes: int = MAX_BYTES,
    opened: IO[bytes] | None = None,
) -> None:
    """Unpack a checked archive into the folder ``target``.

    The archive may hold the data set below other folders, and macOS's own files. With ``overwrite`` the data set's two
    folders and two CSV files are replaced; other files in ``target`` stay. ``opened``: the archive where it is open
    already; it is then not opened a second time by its name.

    Raises
    ------
    InputError
        It is not a zip, is cut short or damaged, has unsafe entries or is not this data set; nothing is written.
    OutputError
        ``target`` exists and ``overwrite`` is not set, or cannot be written.
    """
    check_target(target, overwrite=overwrite)
    try:
        with zipfile.ZipFile(opened or archive) as zipped:
            members = _members(zipped, archive, max_bytes)
            _unpack_members(zipped, members, archive, target)
    except OSError as error:
        raise InputError(f"cannot read the archive {archive}: {error.strerror}", _EXPECTED) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(
            f"{archive} is not a complete zip archive: {error}",
            "It was cut short or damaged: fetch it again.",
        ) from error


def check_target(target: Path, *, overwrite: bool) -> None:
    """OutputError if the folder must not be written."""
    try:
        is_file, is_filled = (
            target.exists() and not target.is_dir(),
            target.is_dir() and any(target.iterdir()),
        )
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}", "Choose another --to.") from error
    if is_file:
        raise OutputError(f"{target} is a file, expected a folder to unpack into", "Choose another --to.")
    if is_filled and not overwrite:
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
        if leads_out(raw):
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
                    read_csv(staging / csv, inside=True)
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
        "--url",
        default=OFFICIAL_URL,
        metavar="URL",
        help="address of the archive (default: the official one)",
    )
    source.add_argument("--archive", type=Path, metavar="FILE", help="a zip file on this machine")
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the data set, for example data/udacity",
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
        with Part(part) as arriving:
            download(args.url, arriving)
            try:
                unpack(part, target, overwrite=args.overwrite, opened=arriving.file)
            except InputError:
                arriving.remove()  # complete but wrong: there is nothing to continue
                raise
            arriving.remove()
    for name in CSV_FILES:
        print(f"{target / name}: {counted(len(read_csv(target / name, inside=True)), 'face')}")
    if target.name == "udacity":  # as --data expects it
        print(f"next: python -m train fit train/recipes/quick.toml --data {target.parent} --out runs/quick")
    return ExitCode.OK
