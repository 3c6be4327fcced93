"""What a spec names: a camera's number, a URL, a file, or the pictures of a folder or pattern."""

from __future__ import annotations

import glob
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import SupportsIndex
from urllib.parse import unquote

from fkp_live.errors import InputError

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_LAST_PORT = 65_535
_PARAMETER = re.compile(r"([?&;#])([^=&;#?/]*)=([^&;#]*)")
# Of signed addresses (Amazon, Google, Azure, Akamai, CloudFront) and of cameras.
_SECRET_NAME = re.compile(
    r"tok|sig|key|pass|pwd|pw$|secret|cred|auth|hash|hmac|hdn|policy|session|sid$|jwt|otp|^x-(amz|goog)-|^user|login|code$",
    re.IGNORECASE,
)
_LONG = 20  # characters of a value that mixes letters and digits, as tokens do
CHECK_SPELLING = "Check the spelling, and the folder you are in."
CAMERAS_ARE_NUMBERS = " A camera is given by its number or name: fkp-live 0, fkp-live --camera NAME."
CHECK_ACCESS = "Check its name, its permissions, and those of the folders that it is in."


@dataclass(frozen=True, slots=True)
class CameraName:
    """A camera by a part of its name."""

    text: str


def resolve(spec: str | int | Path) -> int | CameraName | str | Path:
    """What a spec names: a camera by number or name, a URL (its scheme in lower case), or else a path.

    Digits are a camera unless a file or folder of that name exists; ``camera://`` stands before a camera's number or
    a part of its name. The path itself need not exist; ``file://`` and
    ``~`` are resolved as far as possible, and the name is taken as it stands otherwise.

    Raises
    ------
    InputError : a text that names nothing
    TypeError : neither a number, a text nor a path
    """
    if not isinstance(spec, str | os.PathLike | SupportsIndex) or isinstance(spec, bool):
        raise TypeError(f"source is {spec!r}, expected the number of a camera, a path or a URL")
    if isinstance(spec, SupportsIndex):
        return index(spec)
    text = str(spec)
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half of a character, which no system can look up
        raise InputError(f"There is no file {text!r}.", CHECK_SPELLING) from None
    if isinstance(spec, str):
        if text.isdecimal() and len(text) < 10 and not os.path.lexists(text):
            return int(text)
        if url := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)(://.*)", text, re.DOTALL):
            scheme, rest = url[1].lower(), url[2]
            if scheme == "camera":
                return _camera(rest.removeprefix("://").strip())
            if scheme != "file":
                return scheme + rest
            text = unquote(re.sub("://(localhost(?=/))?", "", rest, count=1))
    if not text or "\0" in text:
        raise InputError(f"There is no file {text!r}.", CHECK_SPELLING)
    return Path(os.path.expanduser(text))  # Path's own expanduser fails for a user that does not exist


def _camera(text: str) -> int | CameraName:
    if not text:
        raise InputError("camera:// names no camera.", "Add a camera's number or a part of its name.")
    return int(text) if text.isdecimal() and len(text) < 10 else CameraName(text)


def local_files(spec: str | int | Path) -> list[Path]:
    """The files that `open_source` reads for ``spec``: one, or the pictures of a folder or pattern.

    Empty for cameras and URLs, and where nothing exists or nothing can be read; never raises.
    """
    with suppress(InputError):
        where = resolve(spec)
        if isinstance(where, Path):
            return pictures_of(where) if names_many(where) else [where] if os.path.exists(where) else []
    return []


def names_pictures(path: Path) -> bool:
    """Whether a path is read as pictures and not as a video."""
    return names_many(path) or path.suffix.lower() in PICTURE_SUFFIXES


def names_many(path: Path) -> bool:
    """Whether a path is a folder or a pattern."""
    return os.path.isdir(path) or _is_glob(path)


def _is_glob(path: Path) -> bool:
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def pictures_of(path: Path) -> list[Path]:
    """The pictures of a folder or pattern in natural order, at least one.

    Raises
    ------
    InputError : the folder cannot be read, or there is no picture in it
    """
    if _is_glob(path):
        where, found = f"the pattern {path}", [Path(p) for p in glob.glob(str(path), recursive=True)]
    else:
        where = f"the folder {path}"
        try:
            # With the dot, because a folder may be readable, but not enterable.
            names = os.listdir(os.path.join(path, "."))
            found = [path / name for name in names if not is_hidden(path / name)]
        except OSError as exc:
            raise InputError(f"{path} cannot be opened: {exc.strerror}.", CHECK_ACCESS) from exc
    files = [p for p in found if p.suffix.lower() in PICTURE_SUFFIXES and os.path.isfile(p)]
    if not files:
        raise InputError(
            f"There is no picture in {where}.",
            f"Known pictures are {', '.join(PICTURE_SUFFIXES)}. For films: fkp-live batch FOLDER --out DIR.",
        )
    return sorted(files, key=natural)


def is_hidden(path: Path) -> bool:
    """Whether a file of a folder is none of the user's: macOS writes ._NAME beside each file on foreign disks."""
    if path.name.startswith("."):
        return True
    try:
        attributes = getattr(path.stat(), "st_file_attributes", 0)  # Windows only
    except OSError:
        return False
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def check_file(path: Path) -> None:
    """Refuse what is not a readable, regular file with something in it.

    Raises
    ------
    InputError : with the reason
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{path} is not a regular file.", "Give a video, a folder of pictures or a camera number."
            )
        if found.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes).", "Copy or download it again.")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"There is no file {path}.", f"{CHECK_SPELLING}{_camera_meant(path)}") from None
    except OSError as exc:
        raise InputError(f"{path} cannot be opened: {exc.strerror}.", CHECK_ACCESS) from exc


def _camera_meant(path: Path) -> str:
    """What else the name of a missing file may be about: "webcam" or /dev/video0."""
    bare = len(path.parts) == 1 and not path.suffix
    return CAMERAS_ARE_NUMBERS if bare or path.match("/dev/video*") else ""


def without_password(url: str) -> str:
    """The URL without user name, password and access tokens, for people to read; never raises.

    A password may contain a slash, question mark or hash that should have been written with a percent sign: what
    follows the colon is then not a port, and everything up to the @ is removed. Of parameters (``?token=…``) that are
    secret by their name, or look random, the values are replaced by ***.
    """
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return url
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    end = authority.rfind("@")
    if end < 0 and _begins_with_password(authority, rest):
        end = rest.rfind("@")
    return scheme + slashes + _PARAMETER.sub(_without_secret, rest[end + 1 :])


def _begins_with_password(authority: str, rest: str) -> bool:
    """Whether what stands before the first slash is a user name and the front of a password, and not a host."""
    host, colon, port = authority.partition(":")
    if not colon or host.startswith("["):  # an IPv6 address
        return False
    if not port.isdecimal():
        return bool(port)
    if len(port) > len(str(_LAST_PORT)) or int(port) > _LAST_PORT:
        return True
    # A port, or digits at the front of a password. Names of users have no dot; an @ that begins a part of the path is a
    # user name of a web site.
    before, at, _ = rest.partition("@")
    return bool(at) and "." not in host and host != "localhost" and before[-1] not in "/=?&"


def _without_secret(parameter: re.Match[str]) -> str:
    mark, name, value = parameter.groups()
    random = len(value) >= _LONG and re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return f"{mark}{name}=***" if _SECRET_NAME.search(name) or random else parameter[0]
