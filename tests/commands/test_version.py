"""The commit that ``fkp-live --version`` shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fkp_live import __version__
from fkp_live.commands import version

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of nothing but models/, in which the package would lie."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "SHA256SUMS").touch()
    (tmp_path / "fkp_live").mkdir()
    monkeypatch.setattr(version, "_PACKAGE", str(tmp_path / "fkp_live"))
    return tmp_path


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_a_branch(root: Path) -> None:
    written(root / ".git/HEAD", "ref: refs/heads/some/branch")
    assert version.version_line() == f"fkp-live {__version__}"
    written(root / ".git/packed-refs", f"# pack-refs with: peeled\n{COMMIT} refs/heads/some/branch")
    assert version.version_line() == f"fkp-live {__version__} (commit 0123456789)"
    written(root / ".git/refs/heads/some/branch", COMMIT[::-1])
    assert version.commit() == COMMIT[::-1]


def test_a_commit_without_a_branch(root: Path) -> None:
    written(root / ".git/HEAD", COMMIT)
    assert version.commit() == COMMIT


def test_a_worktree(root: Path) -> None:
    written(root / ".git", "gitdir: first/.git/worktrees/second")
    written(root / "first/.git/worktrees/second/HEAD", "ref: refs/heads/main")
    written(root / "first/.git/worktrees/second/commondir", "../..")
    written(root / "first/.git/refs/heads/main", COMMIT)
    assert version.commit() == COMMIT


def test_a_wheel_has_a_file(root: Path) -> None:
    written(root / "fkp_live" / version.COMMIT_FILE, COMMIT)
    written(root / ".git/HEAD", COMMIT[::-1])
    assert version.commit() == COMMIT


@pytest.mark.parametrize(
    "head", ["", "ref: ", "ref: refs/heads/none", "no commit at all", "gitdir: x", "é" * 40]
)
def test_what_is_no_commit_is_left_out(root: Path, head: str) -> None:
    written(root / ".git/HEAD", head)
    assert version.commit() == ""


def test_the_repository_of_another_project_is_not_ours(root: Path) -> None:
    written(root / ".git/HEAD", COMMIT)
    (root / "models" / "SHA256SUMS").unlink()
    assert version.commit() == ""


def test_bytes_that_are_no_text_are_left_out(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_bytes(b"\xff\xfe\x00")
    assert version.commit() == ""


def test_this_line_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from fkp_live.commands.cli import main

    for words in (["--version"], ["--quiet", "--version"]):
        assert main(words) == 0
        assert re.fullmatch(r"fkp-live \S+( \(commit [0-9a-f]{10}\))?\n", capsys.readouterr().out)
