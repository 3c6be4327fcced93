"""The layout of docs/architecture.md: who may import what, and what only commands/ may do.

Every import is read from the source, also those inside functions. Imports under ``if TYPE_CHECKING`` are excepted from
the arrows and circles, because they are not executed: `types` names classes of `images` in annotations only.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up. A module imports from its own room and from lower floors.
FLOORS = (
    ("vocabulary",),
    ("images", "inference"),
    ("faces", "sources", "sinks", "display"),
    ("pipeline",),
    ("plots", "batch", "server"),
    ("commands",),
)
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# Root modules that are not vocabulary.
ROOT_ROOMS = {
    **dict.fromkeys(("engine", "pipeline", "stream", "look_ahead", "tables"), "pipeline"),
    "__main__": "commands",
}
# Where a package may be imported; nowhere for an empty tuple.
HOMES = {
    "onnxruntime": ("inference/",),
    "av": ("sources/", "sinks/"),
    "matplotlib": ("plots/",),
    **dict.fromkeys(("starlette", "uvicorn", "websockets"), ("server/",)),
    "ray": ("batch/ray.py",),
    **dict.fromkeys(("torch", "onnx", "train", "export"), ()),
}
# Process-wide effects that are left to commands/. `console` is the one way to stdout, and for commands/ alone.
ONLY_IN_COMMANDS = {
    *("signal.signal", "signal.set_wakeup_fd", "os.nice", "os.setpriority"),
    *(
        "cv2.setNumThreads",
        "cv2.setUseOptimized",
        "cv2.setRNGSeed",
        "cv2.setLogLevel",
        "cv2.ocl.setUseOpenCL",
    ),
    *("cv2.utils.logging.setLogLevel", "sys.stdout", "print"),
}


def modules(package: str) -> dict[str, ast.Module]:
    """Dotted name -> syntax tree of every module of a package."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return {name: ast.parse(path.read_text("utf-8")) for name, path in zip(names, paths, strict=True)}


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is executed: all but the bodies of ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield child
            yield from nodes(child)


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports; of ``from a import b`` both a and a.b."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def room_of(module: str) -> str:
    """Room of a module or of a name in it: fkp_live.faces.tracker.Track -> faces."""
    first = module.split(".")[1] if "." in module else "__init__"
    is_folder = (ROOT / "fkp_live" / first / "__init__.py").is_file()
    return first if is_folder else ROOT_ROOMS.get(first, "vocabulary")


PRODUCT = modules("fkp_live")


def test_every_folder_has_a_floor() -> None:
    folders = {path.parent.name for path in (ROOT / "fkp_live").glob("*/__init__.py")}
    assert folders <= set(FLOOR_OF)


def test_imports_go_down_or_stay_in_their_room() -> None:
    wrong = [
        f"{name} -> {target}"
        for name, tree in PRODUCT.items()
        for target in imports(tree)
        if target.split(".")[0] == "fkp_live" and (there := room_of(target)) != (here := room_of(name))
        if FLOOR_OF[there] >= FLOOR_OF[here]
    ]
    assert wrong == []


def test_packages_are_imported_only_at_home() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, tree in PRODUCT.items()
        for target in imports(tree)
        if (homes := HOMES.get(target.split(".")[0])) is not None
        if not f"{name.partition('.')[2].replace('.', '/')}.py".startswith(homes or "\0")
    ]
    assert wrong == []


def dotted(node: ast.AST) -> str:
    """a.b.c of an attribute access, or the name alone."""
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def uses(tree: ast.AST) -> set[str]:
    return {dotted(node) for node in nodes(tree) if isinstance(node, (ast.Attribute, ast.Name))}


def test_only_commands_change_the_process_and_write_to_stdout() -> None:
    others = {name: tree for name, tree in PRODUCT.items() if room_of(name) != "commands"}
    door = others.pop("fkp_live.console")
    assert "print" in uses(door)
    found = {name: uses(tree) & ONLY_IN_COMMANDS for name, tree in others.items()}
    assert {name: used for name, used in found.items() if used} == {}
    # The parser of every command prints --help through it.
    assert [n for n, tree in others.items() if "fkp_live.console" in imports(tree)] == ["fkp_live.arguments"]


def test_only_the_window_shows_pictures() -> None:
    shown = {name for name, tree in PRODUCT.items() if any(use.endswith("imshow") for use in uses(tree))}
    assert shown == {"fkp_live.display.window"}


@pytest.mark.parametrize("package", ["fkp_live", "train", "export"])
def test_no_import_circle(package: str) -> None:
    trees = modules(package)
    graph = {name: {target for target in imports(tree) if target in trees} for name, tree in trees.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, fkp_live.commands.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "fkp_live" in loaded.split()
    assert {"torch", "ray", "matplotlib", "starlette", "onnxruntime", "av", "cv2"}.isdisjoint(loaded.split())
