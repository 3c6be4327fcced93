"""Download of a file over HTTP into a partial file beside its target, continued where it stopped."""

from __future__ import annotations

import errno
import http.client
import os
import re
import stat
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tqdm import tqdm

from fkp_live.errors import InputError, OutputError, UsageError

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_ATTEMPTS = 5


class Part:
    """A partial download: opened once, then read and written through its descriptor, whatever takes its name.

    with Part(Path("data.zip.part")) as part:
        download("http://127.0.0.1/data.zip", part)

    An empty one is removed when it is closed.

    Parameters
    ----------
    path : made where it is missing

    Raises
    ------
    OutputError
        It cannot be opened for writing, or is a link or another kind of file than a regular one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            if path.is_symlink():  # where O_NOFOLLOW does not exist
                raise OSError(errno.ELOOP, "it is a link")
            descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
            raise OutputError(f"cannot write {path}: {reason}", _REMOVE_IT) from error
        status = os.fstat(descriptor)
        # A second name (hard link) would be written to as well.
        wrong = "is not a regular file" if not stat.S_ISREG(status.st_mode) else "has a second name"
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(descriptor)
            raise OutputError(f"cannot write {path}: it {wrong}", _REMOVE_IT)
        self.file = os.fdopen(descriptor, "r+b")
        self._identity = status.st_dev, status.st_ino
        self._unwanted = False

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unwanted = self._unwanted or self.size == 0
        self.file.close()  # first, because Windows removes no open file
        with suppress(OSError):
            status = os.lstat(self.path)
            if unwanted and (status.st_dev, status.st_ino) == self._identity:
                self.path.unlink()

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return os.fstat(self.file.fileno()).st_size

    def restart(self) -> None:
        """Discard what has arrived."""
        self.file.truncate(0)

    def append(self, data: bytes) -> None:
        """Write bytes at the end."""
        self.file.seek(0, os.SEEK_END)
        self.file.write(data)
        self.file.flush()

    def remove(self) -> None:
        """Remove the file when it is closed, if it is still the one under its name."""
        self._unwanted = True


_REMOVE_IT = "Remove it, or choose another folder with --to."


def download(url: str, part: Part, *, attempts: int = _ATTEMPTS, pause: float = 1.0) -> None:
    """Download ``url`` to ``part``, continuing what is there already.

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
            before = part.size
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
                    f"cannot write {part.path}: {error.strerror}", "Choose another folder with --to."
                ) from error
            failures = 0 if part.size > before else failures + 1
            time.sleep(pause)
    raise InputError(
        f"download of {url} stopped after {part.size:,} bytes: {reason}",
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


def _transfer(url: str, part: Part, bar: tqdm[None]) -> bool:
    """One connection; True if the file is complete afterwards."""
    start = part.size
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
        part.restart()
        return False
    with response:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        continues = response.status == 206 and found is not None and int(found[1]) == start
        if not continues:
            part.restart()
        if response.status == 206 and not continues:
            return False  # another range than the one requested: from the beginning
        total_size = _total(response, found[2] if continues and found else None)
        bar.total = total_size
        bar.reset(total_size)
        bar.update(start if continues else 0)
        while chunk := response.read(_CHUNK):
            part.append(chunk)
            bar.update(len(chunk))
    return total_size is None or part.size == total_size


def _total(response: http.client.HTTPResponse, of_range: str | None) -> int | None:
    text = response.headers.get("Content-Length", "") if of_range is None else of_range
    return int(text) if text and text.isdigit() else None
