"""Several cameras on one pair of networks: python examples/several_cameras.py SOURCE SOURCE …

An `Engine` holds the networks and may be shared; a `Pipeline` follows the faces of one stream.
"""

from concurrent.futures import ThreadPoolExecutor

from fkp_live import Engine, Pipeline, open_source, process_stream
from fkp_live.console import run_main


def follow(spec: str, engine: Engine) -> str:
    """Process one stream to its end."""
    with open_source(spec) as source:
        stats = process_stream(source, Pipeline(engine=engine))
    return f"{source.info.name}: {stats.frames} frames, {stats.faces} faces"


def main(*given: str) -> None:
    """Process every stream in a thread of its own and print what was found."""
    specs, engine = given or ("0",), Engine()
    print(f"{len(specs)} streams on {engine.model_name}, {engine.provider}")
    with ThreadPoolExecutor(len(specs)) as pool:
        for line in pool.map(lambda spec: follow(spec, engine), specs):
            print(line)


if __name__ == "__main__":
    run_main(main, __doc__)
