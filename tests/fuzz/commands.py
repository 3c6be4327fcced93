"""Runs of ``fkp-live`` on damaged files and with odd words: exit code, messages, and the files that are left."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fkp_live.commands.cli import main
from fkp_live.errors import ExitCode

# 130 needs a signal, 5 another provider.
_CODES = {int(c) for c in (ExitCode.OK, ExitCode.USAGE, ExitCode.INPUT, ExitCode.MODEL, ExitCode.OUTPUT)}
_PICTURES = (".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm")


class FoundError(Exception):
    """Something that must not happen.

    Attributes
    ----------
    signature : the same for findings of one cause
    """

    def __init__(self, signature: str, text: str) -> None:
        super().__init__(text)
        self.signature = signature


def printed(descriptor: int) -> str:
    """What was printed since the check began, by libraries as well."""
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    return os.pread(descriptor, 1 << 20, 0).decode("utf-8", "replace")


def run_words(words: list[str]) -> str:
    """The command with these words in the working folder."""
    code = main(words)
    _check_messages(code)
    _check_files(code, words)
    return f"exit {code}"


def run_file(path: Path, value: dict[str, Any]) -> str:
    """The command on one damaged video or picture.

    Parameters
    ----------
    value : ``out``: name of the video to write, ``words``: further words, ``whole``: the file is not damaged and has
        this many pictures, ``cut``: it was cut off and had this many pictures; both may be missing
    """
    words = ["--video", str(path), "--headless", "--provider", "cpu", "--csv", "a.csv", "--jsonl", "a.jsonl"]
    words += ["--out", value["out"], *value["words"]]
    code = main(words)
    _check_messages(code)
    written = _check_files(code, words)
    if code:
        if "whole" in value:
            raise FoundError(f"refused {path.suffix}", f"a whole file ends in {code}")
        if code == ExitCode.OUTPUT:
            raise FoundError(
                f"exit 6 {Path(value['out']).suffix}", "a damaged input is no failure of the output"
            )
        return f"exit {code}"
    noted = bool(_notes())
    if value["words"]:
        return "exit 0 with a range"
    there = max(pictures_in(path, threads) for threads in ("SLICE", "AUTO"))
    there = max(there, value.get("whole", 0))
    if written < there and not noted:
        raise FoundError(
            f"in silence {path.suffix}", f"{written} of {there} pictures were read, and no note says so"
        )
    if written < value.get("cut", 0) and not noted:
        raise FoundError(
            f"cut {path.suffix}", f"{written} of {value['cut']} pictures are left, and no note says so"
        )
    return "exit 0 with a note" if noted else "exit 0"


def _check_messages(code: int) -> None:
    err = printed(2)
    for sign in ("Traceback (most recent", "unexpected failure", "Exception ignored"):
        if sign in err:
            kind = re.search(r"unexpected failure: (.{0,60})|^(\w+Error): ", err, re.MULTILINE)
            raise FoundError(f"{sign}: {kind[0] if kind else ''}", f"exit {code}, {sign}")
    enough = "not enough memory" in err
    if code not in _CODES and not (code == ExitCode.FAILURE and enough):
        raise FoundError(f"exit {code}", f"exit {code} is not of the contract")
    if code and "fkp-live: " not in err:
        raise FoundError(f"exit {code} without a message", f"exit {code} without a message")


def _notes() -> list[str]:
    """What was reported on stderr, but for provider and network and the progress bar."""
    lines = re.split(r"[\r\n]+", printed(2))
    return [
        line for line in lines if line.strip() and not re.search(r"; network |frame/s|s/frame|frame \[", line)
    ]


def _check_files(code: int, words: list[str]) -> int:
    """Look at every file that a run has left; the number of frames written."""
    err = printed(2)
    given = {o: Path(words[words.index(o) + 1]).name for o in ("--out", "--csv", "--jsonl") if o in words}
    counts: dict[str, int] = {}
    for path in sorted(Path().iterdir()):
        name = path.name
        if name == "clip.mp4" or not path.is_file():
            continue
        partial = ".partial" in name and name not in given.values()
        if partial and not code:
            raise FoundError("partial file left", f"{name} is left after exit 0")
        if partial and name not in err:
            raise FoundError("partial file not named", f"{name} is left and not named, exit {code}")
        option = next((o for o, wanted in given.items() if _is_of(name, wanted)), "?")
        if option == "?":
            raise FoundError("another file", f"{name} was not asked for, exit {code}")
        counts[name] = frames_in(path, option, whole=not partial)
    if code:
        return 0
    numbers = {option: counts.get(name, -1) for option, name in given.items()}
    # A frame without a face has no row in the CSV file.
    rows = numbers.pop("--csv", 0)
    if (
        rows > min(numbers.values(), default=rows)
        or len(set(numbers.values())) > 1
        or -1 in (rows, *numbers.values())
    ):
        counted = f"frames by file: {numbers}, CSV: {rows}"
        raise FoundError(f"outputs differ {Path(given.get('--out', '')).suffix}", counted)
    return next(iter(numbers.values()), rows)


def _is_of(name: str, given: str) -> bool:
    """Whether a file is the output that was asked for, or its partial file."""
    wanted = Path(given)
    return name == given or (name.startswith(f"{wanted.stem}.partial") and name.endswith(wanted.suffix))


def frames_in(path: Path, option: str, *, whole: bool = True, ordered: bool = True) -> int:
    """Frames of an output. Raises FoundError if it cannot be read.

    Parameters
    ----------
    option : of the command that names such a file
    whole : whether it has to end after a line
    ordered : whether times may not go back
    """
    if option in ("--csv", "--jsonl"):
        text = path.read_text("utf-8")
        if text and not text.endswith("\n") and whole:
            raise FoundError(f"half a line {option}", f"{path} ends in the middle of a line")
        lines = text.splitlines()[1:]
        if option == "--csv":
            return len({line.partition(",")[0] for line in lines})
        times = [json.loads(line)["time"] for line in lines if whole]
        if ordered and any(b < a for a, b in pairwise(times)):
            raise FoundError("times go back", f"{path} has times that go back: {times}")
        return len(lines)
    try:
        count = decoded(path, "SLICE")
    except (OSError, ValueError, IndexError) as error:
        raise FoundError(f"does not play {path.suffix}", f"{path} does not play: {error}") from error
    if not count:
        raise FoundError(f"does not play {path.suffix}", f"{path} holds no picture that can be decoded")
    return count


def decoded(path: Path, threads: str) -> int:
    """Pictures of the default picture track, by PyAV alone. Raises where the file cannot be opened."""
    import av

    count = 0
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        tracks = [s for s in container.streams.video if s.codec_context and not s.disposition & 0x400]
        chosen = next((s for s in tracks if s.disposition & 1), tracks[0])
        chosen.thread_type = threads
        with suppress(av.FFmpegError, IndexError):
            for packet in container.demux(chosen):
                with suppress(av.FFmpegError):
                    count += len(packet.decode())
    return count


def times_of(path: Path) -> list[float]:
    """Seconds at which each picture of a video is shown."""
    import av

    with av.open(f"file:{path}") as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def pictures_in(path: Path, threads: str) -> int:
    """Pictures that can be decoded, independently of the product; 0 where nothing can."""
    if path.suffix in _PICTURES:
        content = np.frombuffer(path.read_bytes(), np.uint8)
        with suppress(cv2.error):
            return int(cv2.imdecode(content, cv2.IMREAD_COLOR) is not None)
        return 0
    try:
        return decoded(path, threads)
    except (OSError, ValueError, IndexError):
        return 0
