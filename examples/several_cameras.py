"""Several cameras on one pair of networks: python examples/several_cameras.py SOURCE SOURCE …

An `Engine` holds the networks and may be shared; a `Pipeline` follows the faces of one stream.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from fkp_live import Engine, Pipeline, open_source, process_stream


def follow(spec: str, engine: Engine) -> str:
    """Process one stream to its end."""
    with open_source(spec) as source:
        stats = process_stream(source, Pipeline(engine=engine))
    return f"{source.info.name}: {stats.frames} frames, {stats.faces} faces"


def main(specs: list[str]) -> None:
    """Process every stream in a thread of its own and print what was found."""
    engine = Engine()
    print(f"{len(specs)} streams on {engine.model_name}, {engine.provider}")
    with ThreadPoolExecutor(len(specs)) as pool:
        for line in pool.map(lambda spec: follow(spec, engine), specs):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:] or ["0"])
