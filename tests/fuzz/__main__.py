"""Fuzzing for hours: damaged files, odd values, and signals to real runs, with counts by kind and outcome.

    python -m tests.fuzz [--seed N] [--count N] [--only CHECK,…] [--keep DIR]
    python -m tests.fuzz --replay DIR/FINDING

Exits with 1 if something was found. Every finding is saved in a folder of its own under ``--keep``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.session import Session, replay
from tests.fuzz.signals import send_signals
from tests.fuzz.values import STRATEGIES
from tests.fuzz.worker import Worker


def main() -> int:
    """Run a session, or one finding again; the exit code."""
    options = _parser().parse_args()
    signals = options.count // 20 if options.signals is None else options.signals
    with tempfile.TemporaryDirectory(prefix="fkp-fuzz-") as name:
        scratch = Path(name)
        with Worker(scratch / "work") as worker:
            if options.replay:
                outcome = replay(options.replay, worker)
                print(outcome.kind, outcome.signature, outcome.finding, sep="\n")
                return int(bool(outcome.finding))
            values = options.count * 34 if options.values is None else options.values
            session = Session(worker, options.keep, options.seed, _say)
            try:
                if options.only:
                    for check in options.only.split(","):
                        session.values_of(check, values)
                else:
                    session.files(options.count, scratch / "files")
                    session.values(values)
            except KeyboardInterrupt:
                _say("stopped")
            _say("\n".join(session.table()))
        failures = send_signals(options.seed, signals, scratch / "signals", _say) if signals else 0
    return int(bool(session.findings or failures))


def _say(text: str) -> None:
    print(text.encode("ascii", "backslashreplace").decode(), flush=True)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    made.add_argument("--seed", type=int, default=0, help="another seed tries other inputs (default: 0)")
    made.add_argument("--count", type=int, default=1000, help="damaged files (default: 1000)")
    made.add_argument(
        "--values", type=int, help="odd values, or of each of --only (default: 34 for each file)"
    )
    made.add_argument("--signals", type=int, help="signals to real runs (default: 1 for 20 files)")
    made.add_argument("--only", help=f"values for these checks only: {', '.join(STRATEGIES)}")
    made.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for findings")
    made.add_argument("--replay", type=Path, help="carry out a saved finding again")
    return made


if __name__ == "__main__":
    sys.exit(main())
