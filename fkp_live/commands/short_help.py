"""``fkp-live -h``: what is used most, on one screen. ``--help`` has all."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fkp_live.console import say

TEXT = """\
usage: fkp-live [option ...] SOURCE

68 landmarks of every face of a camera or a video, frame by frame.

  SOURCE              camera number, video file, URL, folder or glob of images;
                      or --demo, the clip in the package
  --out FILE          annotated video: .mp4, .mov or .mkv
  --csv, --jsonl FILE the numbers; - for standard output
  --events FILE       blinks, yawns, looks away and so on
  --background blur   cover every face
  --serve             show the stream in browsers; --send TARGET: the numbers
  --headless          no window
  --overwrite         replace files that exist

examples:
  fkp-live 0
  fkp-live film.mp4 --out annotated.mp4 --csv points.csv --jsonl points.jsonl
  fkp-live batch films --out results --format csv

commands: batch replay convert summary plot report web models bench doctor
  completion (fkp-live COMMAND --help)
All options, the keys of the window, exit codes: fkp-live --help
"""


class ShortHelp(argparse._HelpAction):
    """For argparse: prints `TEXT` and ends the program with 0."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        say(TEXT.rstrip("\n"))
        parser.exit()
