"""The names that ``from fkp_live import …`` offers."""

from __future__ import annotations

import subprocess
import sys

import fkp_live


def test_every_public_name_can_be_imported() -> None:
    names = set(fkp_live.__all__) - {"__version__"}
    assert names == {
        *("Engine", "Face", "FaceLandmarker", "FkpError", "Frame", "FrameResult", "Measures", "Pipeline"),
        *("Event", "EventFinder", "EventOptions"),
        *("MeasuredFace", "PipelineOptions", "Pose", "TrackedFace", "TrackedResult"),
        *("draw", "open_source", "process_stream", "read"),
    }
    for name in names:
        assert getattr(fkp_live, name).__name__ == name
    assert dir(fkp_live) == sorted(fkp_live.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, fkp_live; sys.exit(bool({'numpy', 'cv2', 'av', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
