"""Blocks that are not run: samples of what the product writes, and files of other programs."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

from .pages import Block
from .sessions import Ended


def parsed(block: Block) -> Ended:
    """Whether a block of YAML, TOML or JSON can be read."""
    try:
        if block.language == "yaml":
            import yaml

            list(yaml.safe_load_all(block.text))
        elif block.language == "toml":
            tomllib.loads(block.text)
        else:
            sample(block.text)
    except Exception as error:  # of three libraries
        return Ended(f"{type(error).__name__}: {error}", "", 0.0)
    return Ended("", "", 0.0)


def sample(text: str) -> Any:
    """The value of a sample in JSON, where "…" stands for values that are left out."""
    text = re.sub(r"\[(?:…|\[x, y\])(?: . 68)?\]", "[]", text)
    text = re.sub(r"(?<=: )…", "null", text)
    return json.loads(re.sub(r", …|(?<=\{)…(?=\})", "", text))


def unwritten(shown: Any, written: Any, at: str = "") -> Iterator[str]:
    """The keys in a sample that the product did not write there."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            if not isinstance(written, dict) or key not in written:
                yield f"{at}{key}"
            else:
                yield from unwritten(value, written[key], f"{at}{key}.")
    elif isinstance(shown, list) and shown and isinstance(written, list) and written:
        yield from unwritten(shown[0], written[0], at)


def lines_of_fkp_live(block: Block) -> list[str]:
    """The command lines of fkp-live in a file of another program: Kubernetes' and Ray's jobs."""
    found = re.findall(r"(?:entrypoint: |-c, \")(fkp-live [^\"\n]*)", block.text)
    return [shlex.join(shlex.split(line)) for line in found]
