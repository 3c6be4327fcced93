"""What pages hold beside their own text, filled in when the site is built, so that it cannot go stale.

    <!-- file: models/fkp68.md -->          a page of the repository, with its links led to the pages of the site
    <!-- options: fkp-live batch -->        the options of a command, from its parser
    <!-- names: fkp_live.sinks -->          the public names of a package, from their docstrings
    <!-- notebook: examples/x.ipynb -->     a notebook, run while the site is built, with its outputs

Not everybody reads them on the site. What only the site can show lies in a comment of GitHub's view, and what only that
view needs lies between two marks:

    <!-- on the site
    ...
    -->
    <!-- not on the site -->
    ...
    <!-- on both again -->

Links from pages in docs/ to files of the repository (``../examples/webcam.py``) work on the site, too: a file that is a
page here becomes that page, any other one a download.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from command_line import tables
from executed import executed

ROOT = Path(__file__).parents[2]
# Pages outside docs/ that are pages of the site.
PAGES = {
    "CONTRIBUTING.md": "docs/contributing.md",
    "SECURITY.md": "docs/security.md",
    "benchmarks/RESULTS.md": "docs/results.md",
    "examples/README.md": "docs/examples.md",
    "tests/fuzz/README.md": "docs/fuzzing.md",
    "train/EXPERIMENTS.md": "docs/experiments.md",
    "train/recipes/README.md": "docs/recipes.md",
    "train/recipes/history/README.md": "docs/history.md",
    **{f"models/{path.name}": f"docs/models/{path.name}" for path in (ROOT / "models").glob("*.md")},
}
_MARK = re.compile(r"^<!-- (file|options|names|notebook): (.+?) -->$", re.MULTILINE)
_ON_THE_SITE = re.compile(r"^<!-- on the site\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
_NOT_ON_THE_SITE = re.compile(
    r"^<!-- not on the site -->\n.*?^<!-- on both again -->$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def fill(text: str, page: str) -> str:
    """The text of a page (a path in the repository) with its marks replaced and its links led to the site."""
    text = _ON_THE_SITE.sub(lambda mark: mark[1], _NOT_ON_THE_SITE.sub("", text))
    return _MARK.sub(lambda mark: _filled(mark[1], mark[2], page), relinked(text, page, page))


def _filled(kind: str, what: str, page: str) -> str:
    if kind == "file":
        return relinked((ROOT / what).read_text("utf-8"), what, page)
    if kind == "notebook":
        return executed(ROOT / what)
    return tables(what) if kind == "options" else public_names(what)


def relinked(text: str, source: str, page: str) -> str:
    """``text`` stands in the file ``source`` and is shown on ``page``: its relative links, seen from there."""

    def led(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        target = PAGES.get(target, target)
        return posixpath.relpath(target, posixpath.dirname(page)) + (link[2] or "")

    return _LINK.sub(led, text)


def public_names(package: str) -> str:
    """A block for Sphinx with every name in the package's ``__all__``."""
    module = import_module(package)
    lines = ["```{eval-rst}"]
    for name in module.__all__:
        if name.startswith("__"):
            continue
        value = getattr(module, name)
        if inspect.isclass(value):
            kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
            lines += [f".. {kind}:: {package}.{name}", "   :members:"]
            lines += ["   :show-inheritance:", ""] if value.__base__ is not object else [""]
        elif callable(value):
            lines += [f".. autofunction:: {package}.{name}", ""]
        else:
            lines += [f".. py:data:: {package}.{name}", f"   :value: {value!r}", ""]
    return "\n".join([*lines, "```"])


def setup(app: Any) -> dict[str, bool]:
    def read(_app: Any, name: str, content: list[str]) -> None:
        content[0] = fill(content[0], f"docs/{name}.md")

    app.connect("source-read", read)
    return {"parallel_read_safe": True}
