"""Frames that another library decoded: python examples/other_library.py VIDEO.

Here PyAV reads the film. Any source of BGR arrays with a time in seconds will do. (A program that also opens windows
must import cv2 before av: the other way round they hang on Linux.)
"""

import av

from fkp_live import Pipeline, PipelineOptions
from fkp_live.console import run_main


def main(path: str) -> None:
    """Print the mouth opening of the largest face, frame by frame."""
    pipeline = Pipeline(PipelineOptions(smooth="light"))
    with av.open(path) as container:
        for frame in container.decode(video=0):
            result = pipeline.process_image(frame.to_ndarray(format="bgr24"), frame.time)
            if result.faces:
                print(f"{result.time:.3f} s: mouth open {result.faces[0].measures.mouth_open:.2f}")


if __name__ == "__main__":
    run_main(main, __doc__)
