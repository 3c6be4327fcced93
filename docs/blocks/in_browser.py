"""Blocks of JavaScript: each is typed into the console of a page of ours in Chromium, whose camera plays the clip."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.browser_camera import write_y4m
from benchmarks.chromium import Chromium, chromium_path
from fkp_live.commands.bench.scenes import demo_clip

from .sessions import Ended

_NOTED = """
window.said = [];
const say = console.log;
console.log = (...words) => { said.push(words.join(" ")); say(...words); };
"""
_CAMERA = """
(async () => {
  window.video = document.createElement("video");
  video.muted = true;
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
})()
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """A page of ours: its address, what is done before the block is typed, and after it."""

    url: str
    before: str = ""
    after: str = ""


# The servers are started by docs/blocks.toml, beside the block.
_PLACES = {
    "docs/browser.md": _Place(
        "http://127.0.0.1:8069/", after="document.querySelector('[data-do=camera]').click()"
    ),
    "docs/browser_engine.md": _Place("http://127.0.0.1:8069/", before=_CAMERA),
    "docs/serve.md": _Place("http://127.0.0.1:8068/"),
}


def run_script(text: str, page: str, folder: Path) -> Ended:
    """Type a block into the console and wait until it has logged something."""
    begun = time.monotonic()
    if chromium_path() is None:
        return Ended("there is no Chromium: apt-get install chromium", "", 0.0)
    film = folder.parent / "camera.y4m"
    write_y4m(demo_clip(), film, 15)
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    place = _PLACES[page]
    output = ""
    try:
        with Chromium((*fake, f"--use-file-for-fake-video-capture={film}")) as browser:
            _wait_for(place.url)
            opened = browser.open(place.url)
            for step in (_NOTED, place.before, text, place.after):
                opened.evaluate(step or "0")
            opened.until("said.length > 0")
            output = "\n".join(opened.evaluate("said.slice(0, 3)"))
            wrong = "\n".join(opened.complaints)
    except (RuntimeError, OSError) as error:
        wrong = str(error)
    finally:
        film.unlink()
    return Ended(wrong, output, time.monotonic() - begun)


def _wait_for(url: str) -> None:
    """Wait until the server listens; OSError where it does not within a minute."""
    address = urlsplit(url)
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((address.hostname, address.port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
