"""The files of the page, read once at the start: a table from URL to bytes, so that no request reaches the disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

# The mimetypes of the system may lack some, and without the right type browsers refuse modules.
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
# Folders of the package and what their URLs begin with.
_FOLDERS = {
    "live": ("server", "static", "live"),
    "common": ("server", "static", "common"),
    "uplot": ("assets", "uplot"),
}
_PAGE = "/live/index.html"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file: its MIME type and its bytes."""

    kind: str
    data: bytes


def static_files() -> dict[str, StaticFile]:
    """Every file of the page by its URL, such as ``/live/live.js``; the page itself is ``/``."""
    package = resources.files("fkp_live")
    files: dict[str, StaticFile] = {}
    for name, parts in _FOLDERS.items():
        folder = package.joinpath(*parts)
        if folder.is_dir():
            files |= {f"/{name}/{path}": file for path, file in _read(folder)}
    if _PAGE in files:
        files["/"] = files[_PAGE]
    return files


def _read(folder: Traversable) -> Iterator[tuple[str, StaticFile]]:
    """Path below the folder and content of each file that a browser may want."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from ((f"{entry.name}/{path}", file) for path, file in _read(entry))
        elif (dot := entry.name.rfind(".")) >= 0 and (kind := _KINDS.get(entry.name[dot:])) is not None:
            yield entry.name, StaticFile(kind, entry.read_bytes())
