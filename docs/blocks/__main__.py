"""Runs the blocks of code of the pages: ``python -m docs.blocks [PAGE…] [--keep FOLDER]``.

Each page begins in a new folder with a new HOME and a new environment, into which the wheel of this checkout is
installed; ``pip install 'fkp-live[…]'`` on a page finds that wheel by PIP_FIND_LINKS. Pages that need the same packages
and install none themselves share an environment. What a page leaves to its reader (a film, an extra), what stands in
for what is not here, and what is not run at all, is in docs/blocks.toml. Blocks in a shell keep folder and variables
down a page; programs in Python keep their names. What fails is shown with its output, and the exit code is 1.

What each page took, in minutes and megabytes: CONTRIBUTING.md, "What the blocks take". It needs what ``make test``
installs, Linux, and for some pages Xvfb, npm and Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import pages, table
from .pages import ROOT, SHELL
from .running import Outcome, run_page
from .sessions import screen
from .supplied import Supplies

# Of the environment: where packages come from, and what a person's terminal would have.
_KEPT = ("PIP_", "UV_", "SSL_", "NODE_", "npm_", "NPM_", "HTTP", "http", "NO_PROXY", "no_proxy", "REQUESTS_")

# How an outcome is called, in the order of the table's columns.
_HOW = ("run", "stand-in", "marked", "failed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of ``python -m docs.blocks``."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.blocks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as docs/live.md (default: all)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work here and leave the files")
    parser.add_argument(
        "--environment",
        type=Path,
        metavar="FOLDER",
        help="use this environment for pages that install nothing, and this checkout: to try a page again",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.pages) - set(pages.names()):
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    work = (options.keep or Path(tempfile.mkdtemp(prefix="fkp-live-blocks-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    # A shell that starts this in the background has Ctrl-C ignored, and so would the commands of the pages.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended too
    display, name = screen()
    try:
        return _run(options.pages or pages.names(), work, name, options.environment)
    finally:
        if display is not None:
            display.terminate()
        if options.keep is None:
            shutil.rmtree(work, ignore_errors=True)


def _run(names: Sequence[str], work: Path, display: str, ready: Path | None) -> int:
    rules = table.read()
    rows: list[_Row] = []
    shared: dict[tuple[str, ...], Path] = {}
    wheels = _wheel(work)
    supplies = Supplies(work / "supplied")
    for name in names:
        if not any(rules.shows(block) is None for block in pages.blocks(name)):
            continue
        begun = time.monotonic()
        folder = work / name.replace("/", "-").removesuffix(".md")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        needs = rules.pages.get(name, table.Page())
        home, here, venv = folder / "home", folder / "fkp-live", folder / "venv"
        if needs.install and not _installs(name):
            if ready is not None:
                venv = ready
            elif not needs.checkout:
                venv = shared.setdefault(needs.install, work / f"venv-{len(shared) + 1}")
        home.mkdir()
        _checkout(here) if needs.checkout else here.mkdir()
        for supplied in needs.supplies:
            supplies.put(supplied, here)
        environment = _environment(home, wheels, display)
        if needs.install and not venv.exists():
            _install(venv, needs.install, here, environment)
        if needs.install:
            environment["PATH"] = f"{venv / 'bin'}:{environment['PATH']}"
            environment["VIRTUAL_ENV"] = str(venv)
        if venv == ready:
            environment["PYTHONPATH"] = str(ROOT)
        done = run_page(name, here, environment, rules)
        size = _megabytes(folder) + (0.0 if venv.parent == folder else _megabytes(venv))
        rows.append(_Row(name, done, time.monotonic() - begun, size))
        print(rows[-1], flush=True)
        if venv.parent == folder:
            shutil.rmtree(venv, ignore_errors=True)
    _print_table(rows)
    return any(outcome.how == "failed" for row in rows for outcome in row.outcomes)


def _wheel(work: Path) -> Path:
    """A folder with the wheel of this checkout, the files of ``make web`` in it where they are here."""
    wheels, copy = work / "wheels", work / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    _checkout(copy)
    vendored = Path("fkp_live", "server", "static", "vendor")
    if (ROOT / vendored).is_dir():
        shutil.copytree(ROOT / vendored, copy / vendored)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, copy],
        check=True,
    )
    return wheels


def _installs(page: str) -> bool:
    """Whether a page installs something itself."""
    return any(re.search(r"^pip ", block.text, re.MULTILINE) for block in pages.blocks(page, *SHELL))


def _install(venv: Path, what: Sequence[str], here: Path, environment: dict[str, str]) -> None:
    """A new environment with the packages, made by uv where it is installed: with it that takes a third of the time."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    uv = shutil.which("uv")
    installer = [uv, "pip", "install", "--python", venv] if uv else [venv / "bin" / "pip", "install"]
    words = [*map(str, installer), "--quiet", *what]
    subprocess.run(words, check=True, env=environment, cwd=here)


def _megabytes(folder: Path) -> float:
    """What an environment, and what else the commands of a page installed and wrote, takes on the disk."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _checkout(folder: Path) -> None:
    """A clone of the repository, with what is not committed yet."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    listed = ["git", "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\0"
    ):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def _environment(home: Path, wheels: Path, display: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    links = " ".join(filter(None, [str(wheels), os.environ.get("PIP_FIND_LINKS")]))
    # Downloads are shared by the pages; all else begins anew with each.
    cache = str(wheels.parent / "cache")
    own = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "DISPLAY": display}
    own["CHECKOUT"] = str(wheels.parent / "copy")
    own |= {"PIP_FIND_LINKS": links, "PIP_CACHE_DIR": cache}
    # Where this machine gets packages from, if its user has said so.
    for variable, file in (("PIP_CONFIG_FILE", ".config/pip/pip.conf"), ("npm_config_userconfig", ".npmrc")):
        if (Path.home() / file).is_file():
            own[variable] = str(Path.home() / file)
    return {**kept, **own, "UV_FIND_LINKS": links.replace(" ", ","), "UV_CACHE_DIR": f"{cache}-uv"}


@dataclass(frozen=True, slots=True)
class _Row:
    """A page: its outcomes, seconds, and megabytes that were installed and written."""

    page: str
    outcomes: Sequence[Outcome]
    seconds: float
    megabytes: float

    def __str__(self) -> str:
        counts = [sum(one.how == how for one in self.outcomes) for how in _HOW]
        run, stand_in, marked, failed = counts
        return (
            f"{self.page:26}{run:6}{stand_in:10}{marked:8}{failed:8}{self.seconds:9.0f}{self.megabytes:8.0f}"
        )


def _print_table(rows: Sequence[_Row]) -> None:
    done = [outcome for row in rows for outcome in row.outcomes]
    print(f"\n{'page':26}{'run':>6}{'stand-in':>10}{'marked':>8}{'failed':>8}{'seconds':>9}{'MB':>8}")
    all_pages = _Row("all", done, sum(row.seconds for row in rows), sum(row.megabytes for row in rows))
    print(*rows, all_pages, sep="\n")
    for how in _HOW[1:]:
        print(f"\n{how}:")
        for one in done:
            if one.how == how:
                print(f"  {one.block.place}: {one.text.strip().splitlines()[0][:90]}\n      {one.why}")


if __name__ == "__main__":
    sys.exit(main())
