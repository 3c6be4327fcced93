"""``fkp-live bench``: one run, from the words of the command line to the report."""

from __future__ import annotations

from collections.abc import Sequence

from fkp_live.commands.bench.options import parse
from fkp_live.commands.bench.report import comparison, read_report, table, write_report
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode
from fkp_live.sinks.files import check_output


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Carry out ``fkp-live bench`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For wrong options, a source, model or provider that does not work, an old report that cannot be read, or an
        output that cannot be written; where possible before the first trial.
    """
    if stops is not None:
        # The trials are processes of their own, which are ended here.
        stops.raise_interrupt()
    options = parse(words)
    # Not at the top: OpenCV and onnxruntime take longer to load than --help or a mistyped option needs.
    from fkp_live.commands.bench.measure import measure
    from fkp_live.inference.models import resolve_model
    from fkp_live.sources.spec import local_files

    old = None if options.compare is None else read_report(options.compare)
    if options.json is not None:
        inputs = [] if options.video is None else local_files(options.video)
        if options.model is not None:
            inputs.append(resolve_model(options.model))
        check_output(options.json, overwrite=options.overwrite, inputs=inputs)
    report = measure(options)
    say(table(report))
    if old is not None:
        say("\n" + comparison(old, report))
    if options.json is not None:
        write_report(options.json, report, overwrite=options.overwrite)
        say(f"\nwritten: {options.json}")
    return int(ExitCode.OK)
