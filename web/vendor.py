"""Copies what ``npm ci`` installed, and what the page needs of it, into ``fkp_live/server/static/vendor``.

Run by ``make web``. The WebAssembly file is packed, since it is 14 MB and the page's server sends it as it lies on the
disk. The same input gives the same bytes. The licences are those of the onnxruntime package of this Python, which is
built from the same sources: the npm package has none.
"""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE / "node_modules" / "onnxruntime-web" / "dist"
VENDOR = HERE.parent / "fkp_live" / "server" / "static" / "vendor"
MODULE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")


def main() -> None:
    """Write the folder anew; a build that was interrupted leaves the old one.

    Raises
    ------
    SystemExit : something is missing
    """
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        sys.exit(
            "web/vendor.py takes the licences from the Python package onnxruntime, which is not installed."
        )
    sources = [BUILT / MODULE, BUILT / BINARY, *(Path(found.origin).parent / name for name in LICENCES)]
    if missing := [path for path in sources if not path.is_file()]:
        sys.exit(f"{missing[0]} is missing. Remove web/node_modules and run make web again.")
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor.partial.", dir=VENDOR.parent) as made:
        folder = Path(made) / VENDOR.name
        folder.mkdir(mode=0o755)
        for path in sources:
            if path.name != BINARY:
                (folder / path.name).write_bytes(path.read_bytes())
        (folder / f"{BINARY}.gz").write_bytes(gzip.compress((BUILT / BINARY).read_bytes(), 9, mtime=0))
        shutil.rmtree(VENDOR, ignore_errors=True)
        folder.rename(VENDOR)
    for path in sorted(VENDOR.iterdir()):
        print(f"{path.stat().st_size:>9,} bytes  {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
