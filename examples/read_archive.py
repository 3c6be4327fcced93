"""What a batch found, film by film: python examples/read_archive.py FOLDER, the --out of `fkp-live batch`.

Needs pandas and pyarrow (pip install 'fkp-live[tables,batch]'); with duckdb the same once more, in SQL and without
reading the whole archive into memory.
"""

from importlib.util import find_spec
from pathlib import Path

import fkp_live
from fkp_live.console import run_main


def main(folder: str) -> None:
    """Mean openness of the mouth of each film, over the frames in which a face was followed well."""
    table = fkp_live.read(folder)
    good = table[table.success == 1]
    print(good.groupby("file", observed=True).mouth_open.agg(["mean", "count"]).to_string())
    if find_spec("duckdb"):
        import duckdb

        files = str(Path(folder) / "points" / "*" / "*.parquet")
        print(
            duckdb.execute(
                "select filename, avg(mouth_open), count(*) from read_parquet(?, filename = true) "
                "where success = 1 group by filename order by filename",
                [files],
            ).fetchall()
        )


if __name__ == "__main__":
    run_main(main, __doc__)
