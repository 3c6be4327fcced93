"""Write the engine's constants and golden vectors anew: ``python -m tests.browser.write [VIDEOS]``.

Run it after a constant, a formula or a network of the package changed. ``VIDEOS`` is the folder that has group.mp4;
without it the vectors of the tracker stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fkp_live.engine import Engine
from tests.browser import constants, vectors


def main() -> None:
    """Write the files and print their sizes."""
    constants.MODULE.write_text(constants.text(), "utf-8")
    vectors.FOLDER.mkdir(exist_ok=True)
    engine = Engine("cpu", "fkp68")
    made = {
        "crops": vectors.crops(),
        "clocks": vectors.clocks(),
        "networks": vectors.networks(engine),
        "smoothing": vectors.smoothing(),
        "frames": vectors.frames(engine),
        "script": vectors.script(),
        "expressions": vectors.expressions(engine),
    }
    if len(sys.argv) > 1:
        film = Path(sys.argv[1]) / "group.mp4"
        made["tracking"] = vectors.tracking(engine, film, count=300)
    for name, found in made.items():
        path = vectors.save(name, found)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    total = sum(path.stat().st_size for path in vectors.FOLDER.iterdir())
    print(f"all of them: {total / 1000:.0f} kB")


if __name__ == "__main__":
    main()
