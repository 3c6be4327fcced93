"""The static page that runs the networks in the visitor's browser: its files, and writing them to a folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fkp_live import __version__
from fkp_live.errors import FkpError, ModelError, OutputError
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
from fkp_live.recorded import CSV_COLUMNS, LEAST_SUCCESS, SCHEMA
from fkp_live.sinks.files import write_failure

_STATIC = Path(__file__).parent / "static"
_UPLOT = Path(__file__).parents[1] / "assets" / "uplot"
# Folders of the page that come from `_STATIC`, and what of it `make web` makes.
_FOLDERS = ("common", "engine", "web")
_VENDOR = "vendor"
_NEEDED = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz")
# Networks of the page: those to choose from, the cheapest good one first, and those that come with each.
LANDMARKS = ("fkp68-int8", "fkp68", "fkp68-tiny")
_OTHERS = ("yunet", "fkp-eyes", "fkp-expression")
# What the page must know of Python's side; also how a folder is known to hold a site of ours.
FACTS = "web/facts.json"
# The system may not know the last ones, and without the right type browsers refuse modules and WebAssembly.
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}


@dataclass(frozen=True)
class Asset:
    """A file of the site, in memory.

    Attributes
    ----------
    kind : its MIME type
    stored : the bytes as they lie on the disk
    packed : whether ``stored`` is compressed by gzip
    """

    kind: str
    stored: bytes
    packed: bool = False

    @property
    def plain(self) -> bytes:
        """The bytes of the file itself."""
        return gzip.decompress(self.stored) if self.packed else self.stored

    @cached_property
    def tag(self) -> str:
        """Changes with the content: the ETag of HTTP, without its quotes."""
        return hashlib.sha256(self.stored).hexdigest()[:32]


def check_fetched() -> None:
    """Refuse if what ``make web`` makes is missing.

    Raises
    ------
    FkpError
    """
    vendor = _STATIC / _VENDOR
    if missing := [name for name in _NEEDED if not (vendor / name).is_file()]:
        raise FkpError(
            f"The page needs onnxruntime-web, of which {vendor / missing[0]} is missing.",
            "In a checkout run make web once (it needs npm); a wheel built after that carries it.",
        )


def site() -> dict[str, Asset]:
    """Every file of the page, by its path from the site's root; the page itself is ``index.html``.

    Raises
    ------
    FkpError : what ``make web`` makes is missing
    ModelError : a shipped network is missing or damaged
    """
    check_fetched()
    files: dict[str, Asset] = {}
    for folder in (*_FOLDERS, _VENDOR):
        files |= {f"{folder}/{name}": asset for name, asset in _folder(_STATIC / folder)}
    files |= {f"uplot/{name}": asset for name, asset in _folder(_UPLOT)}
    for name in (*LANDMARKS, *_OTHERS):
        files[f"models/{name}.onnx"] = _model(name)
    files["index.html"] = files.pop("web/index.html")
    files[FACTS] = _asset(FACTS, json.dumps(_facts(files), ensure_ascii=False).encode())
    return files


def _folder(folder: Path) -> Iterator[tuple[str, Asset]]:
    """Name and content of each file of a folder; ``.gz`` is no part of the name."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            packed = path.suffix == ".gz"
            name = path.stem if packed else path.name
            yield name, _asset(name, path.read_bytes(), packed=packed)


def _asset(name: str, stored: bytes, *, packed: bool = False) -> Asset:
    return Asset(_KINDS.get(Path(name).suffix, "text/plain; charset=utf-8"), stored, packed)


def _model(name: str) -> Asset:
    path = models_dir() / f"{name}.onnx"
    try:
        return _asset(path.name, path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"The network {path} cannot be read: {error.strerror}.", "Install fkp-live again."
        ) from error


def _facts(files: Mapping[str, Asset]) -> dict[str, Any]:
    """What the page must know: columns and header of recordings, the networks, and which files there are."""
    return {
        "program": "fkp-live",
        "version": __version__,
        "schema": SCHEMA,
        "csv_columns": CSV_COLUMNS,
        "least_success": LEAST_SUCCESS,
        "models": {name: _model_facts(name, files[f"models/{name}.onnx"]) for name in (*LANDMARKS, *_OTHERS)},
        "files": sorted([*files, FACTS]),
    }


def _model_facts(name: str, asset: Asset) -> dict[str, Any]:
    metadata = open_session(models_dir() / f"{name}.onnx", "cpu").metadata
    wanted = ("schema", "input", "crop", "output", "licence")
    return {
        "bytes": len(asset.stored),
        "sha256": hashlib.sha256(asset.stored).hexdigest(),
        **{key: metadata[key] for key in wanted if key in metadata},
    }


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not become the site, before anything is made.

    A folder may be new, empty, or with ``overwrite`` a site that `write_site` wrote and nobody has added to.

    Raises
    ------
    OutputError
    """
    try:
        if not os.path.lexists(folder):
            if not folder.absolute().parent.is_dir():
                raise OutputError(
                    f"There is no folder {folder.absolute().parent} to write {folder.name} to.",
                    "Create it first.",
                )
            return
        if not folder.is_dir():
            raise OutputError(f"{folder} is not a folder.", "Give the name of a new folder.")
        if Path.cwd().is_relative_to(folder.resolve()):
            raise OutputError(
                f"{folder} is the working folder or holds it, and cannot be replaced.", "Give a folder in it."
            )
        found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())
    except OSError as error:
        raise write_failure(folder, error) from error
    if not found:
        return
    if not overwrite:
        raise OutputError(
            f"{folder} is not empty.", "Choose a new folder, or replace an earlier site by --overwrite."
        )
    if strange := sorted(set(found) - _written_before(folder)):
        raise OutputError(
            f"{folder} holds {strange[0]!r}, which is not of the site, and --overwrite replaces the whole folder.",
            "Choose a new folder.",
        )


def _written_before(folder: Path) -> set[str]:
    """Paths of the site that a folder holds, by its own list; empty where it is none."""
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        return {str(name) for name in facts["files"]} if facts["program"] == "fkp-live" else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write_site(files: Mapping[str, Asset], folder: Path, *, overwrite: bool) -> int:
    """Write the site uncompressed, for any static host and under any prefix; all of it or nothing.

    Returns
    -------
    bytes written

    Raises
    ------
    OutputError : as `check_folder`, or there is no room
    """
    check_folder(folder, overwrite=overwrite)
    # The folder that a link leads to is replaced, and the link stays.
    target = Path(os.path.realpath(folder))
    size = 0
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.partial.", dir=target.parent) as made:
            new = Path(made) / "new"
            for name, asset in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                content = asset.plain
                path.write_bytes(content)
                size += len(content)
            if target.is_dir():
                # Nobody can have added a file since the check: moved aside first, looked at again, then replaced.
                old = Path(made) / "old"
                target.rename(old)
                try:
                    check_folder(old, overwrite=overwrite)
                    new.rename(target)
                except BaseException:
                    old.rename(target)
                    raise
            else:
                new.rename(target)
    except OSError as error:
        raise write_failure(folder, error) from error
    return size
