"""Fails the build if a page of the site would load anything from another host: fonts, scripts, pictures, styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REMOTE = r"(?:https?:)?//"
_TAG = re.compile(
    rf"<(?:script|img|link|iframe|source|video|audio|embed|object|track)\b[^>]*?"
    rf"\s(?:src|href|data|srcset|poster)\s*=\s*[\"']?\s*{_REMOTE}[^>]*>",
    re.IGNORECASE,
)
_STYLE = re.compile(rf"(?:url\(\s*[\"']?|@import\s+[\"']?)\s*{_REMOTE}[^)\"';]*", re.IGNORECASE)


def remote(text: str) -> Iterator[str]:
    """What a page or a style sheet would load from elsewhere. A link to click loads nothing."""
    for pattern in (_TAG, _STYLE):
        yield from (found[0] for found in pattern.finditer(text))


def setup(app: Any) -> dict[str, bool]:
    from sphinx.errors import ExtensionError

    def check(app: Any, exception: Exception | None) -> None:
        if exception is not None:
            return
        for path in sorted(Path(app.outdir).rglob("*")):
            if path.suffix in (".html", ".css") and (found := next(remote(path.read_text("utf-8")), None)):
                raise ExtensionError(f"{path} would load from another host: {found[:200]}")

    app.connect("build-finished", check)
    return {"parallel_read_safe": True}
