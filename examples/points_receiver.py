"""Read the points of a running stream: python examples/points_receiver.py [URL], after `fkp-live 0 --serve`.

Needs websockets (pip install 'fkp-live[server]'). A program that reads slowly gets the newest frame, not all of them.
"""

import json

from websockets.sync.client import connect

from fkp_live.console import run_main


def main(url: str = "http://127.0.0.1:8068/") -> None:
    """Print where the nose of each face is, frame by frame, until the stream ends."""
    with connect(url.replace("http", "ws", 1) + "points") as stream:
        header = json.loads(stream.recv())
        print(f"{header['source']['name']}, network {header['model']['name']}")
        for line in stream:
            frame = json.loads(line)
            for face in frame.get("faces", []):
                x, y = face["points"][30]
                print(f"{frame['time']:.3f} s: face {face['id']}, nose at {x:.1f}, {y:.1f}")


if __name__ == "__main__":
    run_main(main, __doc__)
