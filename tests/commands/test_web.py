"""``fkp-live web`` as a command: its options, exit codes and end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fkp_live.commands.cli import main
from fkp_live.errors import ExitCode
from fkp_live.server import site as module

STATIC = Path(module.__file__).parent / "static"
needs_site = pytest.mark.skipif(
    not all((STATIC / folder).is_dir() for folder in ("vendor", "common", "engine")), reason="needs make web"
)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "site", "--port", "0"], "Omit --port"),
        (["--to", "site", "--no-open"], "Omit --open"),
        (["--to", "site", "--host", "localhost"], "Omit --host"),
        (["--overwrite"], "--overwrite is for --to"),
        (["--port", "65536"], "65535"),
        (["--port", "-1"], "--port"),
        (["--host", ""], "--host"),
        (["site"], "site"),
    ],
)
def test_options_that_make_no_sense(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["web", *words]) == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_the_files_of_make_web_it_fails_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_STATIC", tmp_path)
    assert main(["web", "--to", str(tmp_path / "site")]) == ExitCode.FAILURE
    assert "make web" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@needs_site
def test_a_site_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my site"
    assert main(["web", "--to", str(folder)]) == ExitCode.OK
    assert capsys.readouterr().out == f"{folder}\n"
    assert (folder / "vendor" / "ort-wasm-simd-threaded.wasm").read_bytes().startswith(b"\0asm")
    assert main(["web", "--to", str(folder)]) == ExitCode.OUTPUT


@needs_site
def test_it_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "fkp_live", "web", "--port"]
    with subprocess.Popen(
        [*command, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            with urllib.request.urlopen(url, timeout=60) as page:
                assert b"fkp-live" in page.read()
            running.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            assert running.wait(60) == ExitCode.INTERRUPTED
        finally:
            running.kill()


@needs_site
def test_an_address_of_this_machine_alone_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    from fkp_live.server.site_server import SiteServer

    bound: list[tuple[str, int]] = []

    def refuse(self: socket.socket, address: tuple[str, int]) -> None:
        bound.append(address)
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(SiteServer, "server_bind", lambda self: refuse(self.socket, self.server_address))
    assert main(["web"]) == ExitCode.OUTPUT
    assert bound == [("127.0.0.1", 8069)]
