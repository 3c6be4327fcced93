"""The files of the static page that runs the networks in the visitor's browser."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fkp_live import __version__
from fkp_live.errors import FkpError, ModelError
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
from fkp_live.recorded import CSV_COLUMNS, LEAST_SUCCESS, SCHEMA

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
