"""A fuzzing session: values and damaged files by seed through a worker, outcomes counted, findings saved."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.media import PICTURES, make_all
from tests.fuzz.mutator import damaged
from tests.fuzz.values import SHARES, STRATEGIES, model_files
from tests.fuzz.worker import Outcome, Worker

# Of these containers the file itself shows that its end is missing, wherever it was cut.
_SHOW_CUTS = re.compile(r"\.(mp4|mov|3gp|mkv|webm|avi|flv|gif|asf|wmv|ogg)$")
_RANGES = ("--start 0.2", "--end 0.2", "--start 0.1 --end 0.3", "--max-frames 3", "--mirror")
# Findings that are not made smaller: each try would take a new process or the whole deadline.
_LOST = re.compile("hang|crash|memory")


@dataclass
class Session:
    """What was tried so far.

    Parameters
    ----------
    worker : carries out the checks
    keep : folder for findings, made when there is one
    seed : of every decision
    say : prints a line

    Attributes
    ----------
    counts : outcomes by check and kind
    findings : how often each signature was met, since it was saved
    seconds : of all runs of each check
    """

    worker: Worker
    keep: Path
    seed: int
    say: Callable[[str], object]
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    findings: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def values(self, count: int) -> None:
        """About ``count`` values of all checks together, each by its share."""
        whole = sum(SHARES.values())
        for check in STRATEGIES:
            self.values_of(check, max(round(count * SHARES[check] / whole), 1))

    def values_of(self, check: str, count: int) -> None:
        """``count`` values of one check, more where a finding is made smaller."""
        tried, rounds = 0, 0

        def one(value: Any) -> None:
            nonlocal tried
            tried += 1
            outcome = self._run(check, check, value)
            if outcome.finding and outcome.signature not in self.findings:
                if _LOST.match(outcome.kind):
                    self.found(check, value, outcome)
                else:
                    raise _SmallestError(value, outcome)

        while tried < count:
            settings = hypothesis.settings(
                max_examples=count - tried,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
            )
            given = hypothesis.given(STRATEGIES[check])(one)
            try:
                hypothesis.seed(self.seed * 1000 + rounds)(settings(given))()
                break  # also where there are no more values
            except _SmallestError as found:
                self.found(check, found.value, found.outcome)
            except hypothesis.errors.Flaky as error:
                self.say(f"  {check}: not the same twice: {str(error).splitlines()[0]}")
            rounds += 1

    def files(self, count: int, folder: Path) -> None:
        """Every whole file once, then ``count`` damaged videos, pictures and models."""
        folder.mkdir(parents=True, exist_ok=True)
        videos, pictures = make_all(folder)
        models = model_files()
        for name, content in {**videos, **pictures}.items():
            whole = 1 if name in pictures else PICTURES
            self._file(
                "whole file", "video", folder / name, content, {"out": "a.mp4", "words": [], "whole": whole}
            )
        others = [*videos.values(), *pictures.values()]
        for index in range(count):
            chance = random.Random(f"{self.seed}/{index}")
            kinds: tuple[tuple[str, Mapping[str, bytes]], ...]
            kinds = (("video", videos),) * 16 + (("picture", pictures),) * 3 + (("model", models),)
            kind, bases = chance.choice(kinds)
            name = chance.choice(sorted(bases))
            content, steps = damaged(bases[name], chance, others)
            if kind == "model":
                self._file("model", "file", folder / name, content, {})
                continue
            value: dict[str, Any] = {"out": "a" + chance.choice((".mp4", ".mkv", ".mov")), "words": []}
            if chance.random() < 0.1:
                value["words"] = chance.choice(_RANGES).split()
            if set(steps) == {"truncate"} and _SHOW_CUTS.search(name):
                value["cut"] = PICTURES
            self._file(kind, "video", folder / name, content, {**value, "steps": steps, "index": index})

    def _file(self, kind: str, check: str, path: Path, content: bytes, value: dict[str, Any]) -> None:
        path.write_bytes(content)
        value = {**value, "path": str(path)}
        outcome = self._run(kind, check, value)
        if outcome.finding and outcome.signature not in self.findings:
            self.found(check, value, outcome)

    def _run(self, kind: str, check: str, value: Any) -> Outcome:
        begun = time.monotonic()
        if check == "command":
            value = {"words": value, "clip": str(DEMO)}
        outcome = self.worker.run(check, value)
        self.seconds[kind] += time.monotonic() - begun
        self.counts[kind][outcome.kind] += 1
        if outcome.signature in self.findings:
            self.findings[outcome.signature] += 1
        return outcome

    def found(self, check: str, value: Any, outcome: Outcome) -> None:
        """Save a finding, the first of its signature, and print it."""
        self.findings[outcome.signature] += 1
        name = re.sub(r"[^\w.]+", "-", outcome.signature)[:60].strip("-")
        folder = self.keep / f"{self.seed}-{len(self.findings):03}-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(value, dict) and "path" in value:
            path = Path(value["path"])
            shutil.copy(path, folder / f"input{path.suffix}")
            value = {**value, "path": f"input{path.suffix}"}
        case = {"check": check, "value": value, "signature": outcome.signature, "finding": outcome.finding}
        (folder / "case.json").write_text(json.dumps(case, indent=1), "utf-8")
        short = "\n    ".join(outcome.finding.strip().splitlines()[-4:])
        self.say(f"FOUND {outcome.signature}\n    {short}\n    python -m tests.fuzz --replay {folder}")

    def table(self) -> Iterator[str]:
        """Counts by check and outcome."""
        for check, counts in self.counts.items():
            kinds = ", ".join(f"{kind} {number}" for kind, number in counts.most_common())
            yield f"{check:<12}{counts.total():>8}  {self.seconds[check]:7.0f} s  {kinds}"
        yield f"{'together':<12}{sum(c.total() for c in self.counts.values()):>8}  workers: {self.worker.started}"
        for signature, number in self.findings.most_common():
            yield f"finding, {number} times: {signature}"


DEMO = Path(__file__).parents[2] / "fkp_live/assets/demo.mp4"


class _SmallestError(Exception):
    def __init__(self, value: Any, outcome: Outcome) -> None:
        super().__init__(outcome.signature)
        self.value, self.outcome = value, outcome


def replay(folder: Path, worker: Worker) -> Outcome:
    """Carry out a saved finding again."""
    case = json.loads((folder / "case.json").read_text("utf-8"))
    value = case["value"]
    if isinstance(value, dict) and "path" in value:
        value["path"] = str((folder / value["path"]).resolve())
    if case["check"] == "command":
        value = {"words": value, "clip": str(DEMO)}
    return worker.run(case["check"], value)
