"""A table as OpenFace writes it for each film of a folder: python examples/openface_csv.py FOLDER OUT.

For thousands of films there is `fkp-live batch`, which may be stopped and run again.
"""

from pathlib import Path

from fkp_live import Engine, FkpError, Pipeline, open_source, process_stream
from fkp_live.console import run_main
from fkp_live.sinks import CsvSink

FILMS = {".mp4", ".mov", ".mkv", ".avi", ".webm"}


def main(folder: str, out: str) -> None:
    """Write OUT/NAME.csv for every film; one that cannot be read is named and passed over."""
    engine = Engine()  # opened once for all
    Path(out).mkdir(parents=True, exist_ok=True)
    for film in sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in FILMS):
        table = Path(out) / f"{film.stem}.csv"
        try:
            with open_source(film) as source, CsvSink(table, columns="openface") as sink:
                stats = process_stream(source, Pipeline(engine=engine), [sink])
            print(f"{film.name}: {stats.frames} frames")
        except FkpError as error:
            print(f"{film.name}: {error}")


if __name__ == "__main__":
    run_main(main, __doc__)
