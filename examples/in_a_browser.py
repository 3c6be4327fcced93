"""Streams in a browser: python examples/in_a_browser.py SOURCE SOURCE …, after pip install 'fkp-live[server]'.

Each stream has a `Server` with a port of its own (0: any that is free); their pipelines share one pair of networks.
"""

from concurrent.futures import ThreadPoolExecutor

from fkp_live import Engine, Pipeline, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.server import Server


def serve(spec: str, engine: Engine) -> str:
    """Show one stream to its end."""
    with Server(":0") as server, open_source(spec) as source:
        pipeline = Pipeline(engine=engine)
        server.begin(source.info, pipeline, dropped=lambda: source.dropped)
        # In one piece: other threads print, too.
        print(f"{source.info.name}: {server.url}\n", end="", flush=True)
        if not source.info.live:
            server.await_viewer()  # a file is soon over
        stats = process_stream(source, pipeline, on_frame=server.show, between=server.obey)
    return f"{source.info.name}: {stats.frames} frames shown"


def main(*given: str) -> None:
    """Serve every stream in a thread of its own."""
    specs, engine = given or ("0",), Engine()
    with ThreadPoolExecutor(len(specs)) as pool:
        for line in pool.map(lambda spec: serve(spec, engine), specs):
            print(line)


if __name__ == "__main__":
    run_main(main, __doc__)
