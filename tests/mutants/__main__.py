"""Mutation check: change one constant or line at a time and expect a failing test.

    python -m tests.mutants [NAME…] [--jobs N]

Reads ``mutants.toml``: each mutant has a name, a file, the text to replace (it must occur exactly once), its
replacement, and the tests that should notice. Works in temporary copies of the checkout. First the named tests must
pass unchanged. Exits with 1 if a mutant survives or does not apply.
"""

from __future__ import annotations

import argparse
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).with_name("mutants.toml")
# Seconds for the tests of one mutant. A mutant that makes them hang is killed, too.
LIMIT = 300
LIMIT_TEXT = f"no answer after {LIMIT} s"


@dataclass(frozen=True)
class Mutant:
    """One change, and the tests that should fail with it."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


def load(names: list[str]) -> list[Mutant]:
    """The mutants of the file, or those named."""
    entries = tomllib.loads(MUTANTS.read_text(encoding="utf-8"))
    unknown = sorted(set(names) - set(entries))
    if unknown:
        raise SystemExit(f"unknown mutants: {', '.join(unknown)}; expected some of {', '.join(entries)}")
    return [
        Mutant(name, entry["path"], entry["old"], entry["new"], tuple(entry["tests"]))
        for name, entry in entries.items()
        if not names or name in names
    ]


def problem(mutant: Mutant, root: Path) -> str:
    """Why a mutant does not apply to the tree at ``root``; empty if it does."""
    path = root / mutant.path
    if not path.is_file():
        return f"{mutant.path} does not exist"
    count = path.read_text(encoding="utf-8").count(mutant.old)
    if count != 1:
        return f"its old text occurs {count} times in {mutant.path}, expected 1: {mutant.old!r}"
    files = [test.partition("::")[0] for test in mutant.tests if test.startswith("tests/")]
    missing = [name for name in files if not (root / name).exists()]
    return f"{missing[0]} does not exist" if missing else ""


def copy_tree(target: Path) -> Path:
    """The checkout as it is, without ignored files."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\0"
    ):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run_tests(tree: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code (1: a test failed) and its output; a hang is a failure."""
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return 1, LIMIT_TEXT
    return done.returncode, done.stdout + done.stderr


@contextmanager
def borrowed(trees: queue.SimpleQueue[Path]) -> Iterator[Path]:
    """One of the copies, for this thread alone."""
    tree = trees.get()
    try:
        yield tree
    finally:
        trees.put(tree)


def verdict(mutant: Mutant, tree: Path) -> str:
    """ "killed", "SURVIVED", or "BROKEN" where the tests could not run."""
    path = tree / mutant.path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, output = run_tests(tree, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    if code in (0, 1):
        return "SURVIVED" if code == 0 else "killed" if LIMIT_TEXT not in output else f"killed, {LIMIT_TEXT}"
    return f"BROKEN (pytest exit code {code})\n{output[-1500:]}"


def main() -> int:
    """Run all mutants and print one line each; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only these mutants")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="tests run at once (default: 2)")
    arguments = parser.parse_args()
    mutants = load(arguments.names)
    problems = {mutant.name: text for mutant in mutants if (text := problem(mutant, ROOT))}
    for name, text in problems.items():
        print(f"{name}: DOES NOT APPLY: {text}")
    mutants = [mutant for mutant in mutants if mutant.name not in problems]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(arguments.jobs):
            trees.put(copy_tree(Path(folder) / str(number)))

        def passes(tests: tuple[str, ...]) -> bool:
            with borrowed(trees) as tree:
                code, output = run_tests(tree, tests)
            if code != 0:
                print(
                    f"{' '.join(tests)}: must pass without a mutant, but pytest exits with {code}\n{output[-3000:]}"
                )
            return code == 0

        def judge(mutant: Mutant) -> bool:
            with borrowed(trees) as tree:
                text = verdict(mutant, tree)
            print(f"{mutant.name}: {text}", flush=True)
            return text.startswith("killed")

        with ThreadPoolExecutor(arguments.jobs) as pool:
            if not all([*pool.map(passes, dict.fromkeys(mutant.tests for mutant in mutants))]):
                return 1
            killed = sum(pool.map(judge, mutants))
    missed = len(mutants) - killed + len(problems)
    print(f"{killed} of {killed + missed} mutants killed in {time.monotonic() - begun:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
