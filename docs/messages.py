"""Lists every message that ends a command with an exit code from 1 to 6: ``python docs/messages.py [WORD…]``.

A line each: exit code, message with … for what is filled in, where it is raised, and its cure: the second line of the
message itself, or the entry of docs/troubleshooting.md. With words only messages that hold them all.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("fkp_live", "train", "export")
CODES = {
    "FkpError": 1,
    "UsageError": 2,
    "ArgumentTypeError": 2,
    "InputError": 3,
    "ModelError": 4,
    "ProviderError": 5,
    "OutputError": 6,
}
# Words by which a message itself says what was expected.
_EXPECTED = re.compile(r"\b(expected|must be|must not be|at most|at least)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the source: exit code, text and cure with … for what is filled in, file and line."""

    code: int
    text: str
    cure: str
    place: str

    @property
    def explains_itself(self) -> bool:
        """Whether it says what to do, or what was expected."""
        return bool(self.cure) or _EXPECTED.search(self.text) is not None


@cache
def messages(root: Path = HERE.parent) -> tuple[Message, ...]:
    """The messages of `fkp_live.errors` and of argparse's checks, in the order of files."""
    return tuple(_messages(root))


def _messages(root: Path) -> Iterator[Message]:
    for path in (path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))):
        source = path.read_text("utf-8")
        if "Error(" not in source:
            continue
        tree = ast.parse(source)
        own = _kinds(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (code := own.get(_name(node.func))) and node.args:
                text, cure, *_ = *map(_text, node.args), ""
                keywords = {word.arg: _text(word.value) for word in node.keywords}
                place = f"{path.relative_to(root)}:{node.lineno}"
                yield Message(code, text, keywords.get("hint", cure), place)


def _kinds(tree: ast.Module) -> dict[str, int]:
    """Exit code of each kind of error, those that a module derives for itself included."""
    derived = {
        node.name: CODES[base.id]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name) and base.id in CODES
    }
    return CODES | {"SourceLostError": CODES["InputError"]} | derived


def _name(function: ast.expr) -> str:
    return getattr(function, "id", None) or getattr(function, "attr", "")


def _text(node: ast.expr) -> str:
    """A text of the source, with … for what is only known when it is said."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "…"


def headings() -> list[str]:
    """The entries of docs/troubleshooting.md."""
    lines = (HERE / "troubleshooting.md").read_text("utf-8").splitlines()
    return [line.removeprefix("### ") for line in lines if line.startswith("### ")]


def entry(text: str, among: Iterable[str]) -> str:
    """The heading that quotes a message, or its beginning; empty where there is none."""
    for heading in among:
        parts = [re.escape(part.strip()) for part in heading.rstrip(".").split("…")]
        if sum(map(len, parts)) > 8 and re.match(".*?".join(parts), text, re.IGNORECASE | re.DOTALL):
            return heading
    return ""


def main(words: list[str]) -> None:
    """Print the list."""
    known = headings()
    for message in sorted(messages(), key=lambda one: (one.code, one.place)):
        line = f"{message.code}  {message.text}\n     {message.place}"
        quoted = entry(message.text, known)
        cures = (
            message.cure,
            quoted and f"docs/troubleshooting.md: {quoted}",
            message.explains_itself or "NO CURE",
        )
        shown = "\n".join([line, *(f"     -> {cure}" for cure in cures if cure and cure is not True)])
        if all(word in shown for word in words):
            print(shown)


if __name__ == "__main__":
    main(sys.argv[1:])
