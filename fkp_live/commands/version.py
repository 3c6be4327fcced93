"""The version with its commit: of a checkout from .git, of a wheel from the file that setup.py writes into it.

No git is started and next to nothing is imported: ``fkp-live --version`` answers at once. setup.py runs this file.
"""

from __future__ import annotations

import os

# Beside the package; in wheels and source archives alone.
COMMIT_FILE = "commit.txt"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Digits that are shown.
_SHOWN = 10


def version_line() -> str:
    """Name and version, and where it is known the commit: ``fkp-live 0.2.0 (commit 1a2b3c4d5e)``."""
    from fkp_live import __version__

    found = commit()
    return f"fkp-live {__version__}" + (f" (commit {found[:_SHOWN]})" if found else "")


def commit() -> str:
    """The commit of this code in hexadecimal digits; empty where it is not known."""
    return _hexadecimal(_text(os.path.join(_PACKAGE, COMMIT_FILE))) or _checked_out(os.path.dirname(_PACKAGE))


def _checked_out(root: str) -> str:
    """The commit that a checkout is at; without a look at what was changed since."""
    # The .git of another project, into which the package was copied, is not ours.
    if not os.path.isfile(os.path.join(root, "models", "SHA256SUMS")):
        return ""
    folder = os.path.join(root, ".git")
    # Of a worktree it is a file, and its branches are in the folder of the first one.
    if (pointer := _text(folder)).startswith("gitdir: "):
        folder = os.path.join(root, pointer[len("gitdir: ") :])
    head = _text(os.path.join(folder, "HEAD"))
    if not head.startswith("ref: "):
        return _hexadecimal(head)
    name = head[len("ref: ") :]
    shared = os.path.join(folder, _text(os.path.join(folder, "commondir")))
    return _hexadecimal(_text(os.path.join(shared, name))) or _packed(shared, name)


def _packed(folder: str, name: str) -> str:
    for line in _text(os.path.join(folder, "packed-refs")).splitlines():
        found, _, of = line.partition(" ")
        if of == name:
            return _hexadecimal(found)
    return ""


def _hexadecimal(text: str) -> str:
    return text if len(text) >= _SHOWN and not text.strip("0123456789abcdef") else ""


def _text(path: str) -> str:
    """The content of a file; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""
