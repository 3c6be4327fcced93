"""Writing the page of ``fkp-live web`` to a folder."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from fkp_live.errors import OutputError
from fkp_live.server.site import FACTS, Asset
from fkp_live.server.site_folder import check_folder, write_site


def listed(*names: str) -> dict[str, Asset]:
    """The list of a site with these files beside the usual ones."""
    facts = {"program": "fkp-live", "files": ["index.html", "a/code.wasm", FACTS, *names]}
    return {FACTS: Asset("application/json", json.dumps(facts).encode())}


FILES = {
    "index.html": Asset("text/html", b"<p>hello"),
    "a/code.wasm": Asset("application/wasm", gzip.compress(b"\0asm" * 100, mtime=0), packed=True),
    **listed(),
}


def content(folder: Path) -> Mapping[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


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


def test_what_the_owner_added_to_a_site_stays(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(FILES | {"gone/old.js": FILES["index.html"]} | listed("gone/old.js"), folder, overwrite=False)
    mine = {"CNAME": b"faces.example", ".nojekyll": b"", "a/notes.txt": b"mine", "gone/mine.txt": b"mine"}
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    (folder / ".git" / "refs" / "tags").mkdir(parents=True)
    (folder / "linked").symlink_to(tmp_path)

    for _ in range(2):
        write_site(FILES, folder, overwrite=True)
        assert content(folder) == {name: asset.plain for name, asset in FILES.items()} | mine
        assert (folder / ".git" / "refs" / "tags").is_dir(), "a repository without it is none"
        assert (folder / "linked").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("strange", ["new.js", "new.js/mine.txt", "more"])
def test_files_of_others_are_never_replaced(tmp_path: Path, strange: str) -> None:
    folder = tmp_path / "site"
    write_site(FILES, folder, overwrite=False)
    (folder / strange).parent.mkdir(exist_ok=True)
    (folder / strange).write_text("mine")
    before = content(folder)
    later = FILES | {"new.js": FILES["index.html"], "more/new.js": FILES["index.html"]}
    with pytest.raises(OutputError, match="not of the earlier site"):
        write_site(later, folder, overwrite=True)
    assert content(folder) == before


def test_only_a_site_or_what_a_host_wants_is_written_into(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / ".git").mkdir(parents=True)
    (folder / "CNAME").write_text("faces.example")
    with pytest.raises(OutputError, match="is not empty"):
        check_folder(folder, overwrite=False)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"'thesis\.txt', and is not a site"):
        check_folder(folder, overwrite=True)
    (folder / "thesis.txt").unlink()
    write_site(FILES, folder, overwrite=True)
    assert content(folder)["CNAME"] == b"faces.example"
    assert content(folder)["index.html"] == b"<p>hello"
    assert (folder / ".git").is_dir()


def test_a_failure_at_the_last_step_leaves_the_old_site_and_all_that_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site(FILES, folder, overwrite=False)
    for name in ("CNAME", "a/notes.txt"):
        (folder / name).write_text("mine")
    before, rename = content(folder), Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="No space"):
        write_site(FILES, folder, overwrite=True)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


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
