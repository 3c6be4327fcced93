"""The promise "sends nothing, writes nothing but what was asked for", held by the demo in a fresh home folder.

Two looks at the same run: Python's audit hook, on every system, and ``strace``, which sees libraries too, where it is
installed. Both compare the files before and after.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTPUTS = ["a.csv", "a.jsonl", "a.mp4"]
WORDS = [
    "--demo",
    "--headless",
    "--max-frames",
    "12",
    "--out",
    "a.mp4",
    "--csv",
    "a.csv",
    "--jsonl",
    "a.jsonl",
]
# Prints what leaves the process or changes files, as Python sees it: event, then its first argument.
AUDITED = """
import os, sys
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT, 0o600)
changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if not (flags & changing and isinstance(path, (str, bytes, os.PathLike))):
            return
        arguments = os.fsdecode(path)
    elif not event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "subprocess.", "shutil.", "os.")):
        return
    os.write(log, f"{event} {arguments}\\n".encode())
sys.addaudithook(hook)
from fkp_live.commands.cli import main
sys.exit(main(sys.argv[1:]))
"""
# Looking changes nothing. Names are made by links, and partial files removed by unlinking.
HARMLESS = {
    "os.listdir",
    "os.scandir",
    "os.putenv",
    "os.unsetenv",
    "os.listxattr",
    "os.getxattr",
    "os.add_dll_directory",
}
# The null device, and the lock that tqdm shares with processes that it might have.
ELSEWHERE = re.compile(r"/dev/(null|tty|shm/sem\.[\w.-]+)")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The working folder, and an environment with a fresh home and folder for temporary files."""
    for name in ("home", "temporary", "work"):
        (tmp_path / name).mkdir()
    inherited = {
        name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ
    }
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return tmp_path / "work", {
        **inherited,
        **{"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")},
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path / "temporary")),
        **{"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    }


def files(folder: Path) -> list[str]:
    """Every file and folder below the work, home and temporary folders."""
    return sorted(path.name for name in ("home", "temporary", "work") for path in (folder / name).rglob("*"))


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    assert files(folder.parent) == OUTPUTS


def test_the_demo_connects_to_nothing_and_changes_only_its_outputs(
    places: tuple[Path, dict[str, str]],
) -> None:
    folder, environment = places
    log = folder.parent / "audit.log"
    run([sys.executable, "-c", AUDITED, str(log), *WORDS], folder, environment)
    events = [line.partition(" ") for line in log.read_text().splitlines()]
    opened = [path for event, _, path in events if event == "open"]
    assert any(path.endswith("a.partial.csv") for path in opened)  # the hook sees what is written
    inside = (str(folder), *OUTPUTS)
    assert [path for path in opened if not path.startswith(inside) and not ELSEWHERE.fullmatch(path)] == []
    others = [(event, what) for event, _, what in events if event != "open" and event not in HARMLESS]
    assert {event for event, _ in others} <= {"os.link", "os.remove", "os.rename", "os.chmod"}
    assert [what for event, what in others if not re.search(r"a(\.partial)?\.(csv|jsonl|mp4)", what)] == []


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_no_library_of_the_demo_connects_or_writes_elsewhere(places: tuple[Path, dict[str, str]]) -> None:
    folder, environment = places
    log = folder.parent / "strace.log"
    calls = "network,execve,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
    strace = ["strace", "-f", "-e", f"trace={calls}", "-o", str(log)]
    if subprocess.run([*strace, "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace here")
    run([*strace, sys.executable, "-m", "fkp_live", *WORDS], folder, environment)
    changing = []
    for line in log.read_text("utf-8", "replace").splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if call is None or ("O_RDONLY" in line and "O_CREAT" not in line) or " = -1 " in line:
            continue
        changing.append((call[1], call[2]))
    assert any(name == "openat" and "a.partial.mp4" in rest for name, rest in changing)
    network = {"socket", "connect", "bind", "sendto", "sendmsg", "listen", "accept", "accept4", "socketpair"}
    assert [(name, rest) for name, rest in changing if name in network] == []
    assert [name for name, _ in changing].count("execve") == 1
    for name, rest in changing:
        paths = re.findall(r'"([^"]*)"', rest)
        ours = all(
            path.startswith((str(folder), "/proc/self/fd/")) or ELSEWHERE.fullmatch(path) for path in paths
        )
        assert name == "execve" or ours, (name, rest)
