"""``fkp-live web``: the page that runs the networks in the browser, served from here or written to a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fkp_live.arguments import Help, Parser, file_path, filled, whole_number
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, UsageError

# --serve, the live view of a run, has 8068.
_HOST, _PORT = "127.0.0.1", 8069
_EPILOG = """\
The page finds faces in the visitor's own browser, on the visitor's webcam, pictures and videos, and sends nothing
anywhere. Browsers give pages a webcam only from this machine (localhost, 127.0.0.1) and from https addresses.

examples:
  fkp-live web
  fkp-live web --open
  fkp-live web --to site/      for any static host, under any prefix: docs/browser.md
"""


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Carry out ``fkp-live web`` with these words and return the exit code; serving ends by Ctrl-C.

    Raises
    ------
    FkpError
        For options that contradict each other, a file of the page that is missing, an address that cannot be listened
        on, or a folder that must not be written.
    """
    options = _parser().parse_args(words)
    # Not at the top: numpy and onnxruntime take longer to load than --help needs.
    from fkp_live.server.site import site
    from fkp_live.server.site_folder import check_folder, write_site
    from fkp_live.server.site_server import SiteServer

    if options.to is not None:
        for name in ("host", "port", "open"):
            if getattr(options, name) is not None:
                raise UsageError(
                    f"--to writes a folder and serves nothing, but --{name} was given.", f"Omit --{name}."
                )
        check_folder(options.to, overwrite=options.overwrite)
    elif options.overwrite:
        raise UsageError("--overwrite is for --to.", "Omit it, or add --to DIR.")
    if stops is not None:
        stops.raise_interrupt()
    files = site()
    if options.to is not None:
        size = write_site(files, options.to, overwrite=options.overwrite)
        say(str(options.to))
        say(f"fkp-live web: {len(files)} files, {size / 1e6:.1f} MB.", sys.stderr)
        return int(ExitCode.OK)
    host = _HOST if options.host is None else options.host
    with SiteServer(files, host, _PORT if options.port is None else options.port) as server:
        say(server.url)
        if not server.is_local:
            say(
                "fkp-live web: other machines reach it by this machine's name and the same port, for pictures and "
                "videos; browsers give them no webcam without https (docs/browser.md).",
                sys.stderr,
            )
        say("fkp-live web: Ctrl-C ends it.", sys.stderr)
        if options.open:
            _open(server.url)
        server.serve_forever()
    return int(ExitCode.OK)


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        say("fkp-live web: no browser could be started; open the address yourself.", sys.stderr)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live web",
        description="The page that finds faces in the browser: served to this machine, or written to a folder.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument("--host", type=filled, help=f"name or address to listen on (default: {_HOST})")
    made.add_argument(
        "--port", type=whole_number(0, 65535), metavar="N", help=f"0 takes a free one (default: {_PORT})"
    )
    made.add_argument(
        "--open", action=argparse.BooleanOptionalAction, help="open the page in the browser (default: no)"
    )
    made.add_argument(
        "--to", type=file_path, metavar="DIR", help="write the whole page to a new folder, and serve nothing"
    )
    made.add_argument(
        "--overwrite",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="with --to: replace an earlier site",
    )
    made.add_argument("--debug", action="store_true", help="show where a failure happened")
    return made
