"""The files of the page of ``fkp-live web``, and writing them to a folder."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from fkp_live.errors import FkpError, OutputError
from fkp_live.recorded import CSV_COLUMNS
from fkp_live.server import site as module
from fkp_live.server.site import FACTS, Asset, check_folder, site, write_site

STATIC = Path(module.__file__).parent / "static"
needs_site = pytest.mark.skipif(
    not all((STATIC / folder).is_dir() for folder in ("vendor", "common", "engine")), reason="needs make web"
)
LIST = json.dumps({"program": "fkp-live", "files": ["index.html", "a/code.wasm", FACTS]}).encode()
FILES = {
    "index.html": Asset("text/html", b"<p>hello"),
    "a/code.wasm": Asset("application/wasm", gzip.compress(b"\0asm" * 100, mtime=0), packed=True),
    FACTS: Asset("application/json", LIST),
}


def content(folder: Path) -> Mapping[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@needs_site
def test_the_site_has_everything_that_its_page_names() -> None:
    files = site()
    page = files["index.html"].plain.decode()
    for name in ("common/theme.css", "uplot/uPlot.iife.min.js", "web/app.js"):
        assert f'"{name}"' in page
        assert name in files
    assert files["vendor/ort-wasm-simd-threaded.wasm"].plain.startswith(b"\0asm")
    assert files["vendor/LICENSE"].plain.startswith(b"MIT License")
    assert files["web/app.js"].kind.startswith("text/javascript")
    # The page loads nothing that is not here, and says nothing of this machine.
    assert not any("://" in asset.plain.decode() for name, asset in files.items() if name.endswith(".html"))

    assert "".join(f"<option>{name}</option>" for name in module.LANDMARKS) in page

    facts = json.loads(files[FACTS].plain)
    assert facts["csv_columns"] == list(CSV_COLUMNS)
    assert facts["files"] == sorted(files)
    assert facts["models"]["fkp68"]["schema"] == "fkp-landmarks/1"
    assert "non-commercial" in facts["models"]["fkp68-int8"]["licence"]


def test_the_page_holds_the_policy_that_the_server_sends() -> None:
    from fkp_live.server.site_server import POLICY

    assert f'content="{POLICY}"' in (STATIC / "web" / "index.html").read_text("utf-8")


def test_without_the_files_of_make_web_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STATIC", tmp_path)
    with pytest.raises(FkpError, match="mjs is missing") as caught:
        site()
    assert "make web" in caught.value.hint


def test_a_written_site_is_uncompressed_and_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a site ü"
    size = write_site(FILES, folder, overwrite=False)
    assert content(folder)["a/code.wasm"] == b"\0asm" * 100
    assert size == sum(map(len, content(folder).values()))
    assert [path.name for path in tmp_path.iterdir()] == [folder.name], "no partial folder is left"

    with pytest.raises(OutputError, match="is not empty"):
        write_site(FILES, folder, overwrite=False)
    (folder / "index.html").write_text("changed")
    write_site(FILES, folder, overwrite=True)
    assert content(folder)["index.html"] == b"<p>hello"


@pytest.mark.parametrize("strange", ["notes.txt", "a/notes.txt"])
def test_files_of_others_are_never_replaced(tmp_path: Path, strange: str) -> None:
    folder = tmp_path / "site"
    write_site(FILES, folder, overwrite=False)
    (folder / strange).write_text("mine")
    before = content(folder)
    with pytest.raises(OutputError, match="notes"):
        write_site(FILES, folder, overwrite=True)
    assert content(folder) == before

    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(OutputError, match="which is not of the site"):
        check_folder(other, overwrite=True)


def test_a_site_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(FILES, folder, overwrite=False)
    before = content(folder)
    damaged = FILES | {"b/code.wasm": Asset("application/wasm", b"no gzip", packed=True)}
    with pytest.raises(OutputError, match="gzip"):
        write_site(damaged, folder, overwrite=True)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_places_that_cannot_be_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        check_folder(tmp_path / "file", overwrite=True)
    with pytest.raises(OutputError, match="There is no folder"):
        check_folder(tmp_path / "none" / "site", overwrite=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="the working folder"):
        check_folder(Path(), overwrite=True)
    (tmp_path / "empty").mkdir()
    write_site(FILES, tmp_path / "empty", overwrite=False)
    assert content(tmp_path / "empty")["index.html"] == b"<p>hello"
