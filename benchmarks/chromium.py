"""Drives a headless Chromium over its DevTools protocol, by pipes and with the standard library alone.

Playwright's wheel is 53 MB, for a dozen calls. Tests and benchmarks of the pages use this; POSIX only.

>>> with Chromium() as browser:
...     page = browser.open("http://127.0.0.1:8069/")
...     page.evaluate("document.title")
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Seconds that an answer or event may take; machines that test are busy.
PATIENCE = 90.0
# Chromium reads commands from descriptor 3 and writes answers to 4; ours are moved out of their way first.
_TO_BROWSER, _FROM_BROWSER, _FREE = 3, 4, 10


def chromium_path() -> str | None:
    """Path of the installed Chromium, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """A browser with an empty profile, a context manager; its processes and its profile are gone afterwards.

    Parameters
    ----------
    arguments : further switches of the command line

    Attributes
    ----------
    events : what the browser said beside its answers, as dictionaries, oldest first
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="fkp-live-chromium.", ignore_cleanup_errors=True)
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._read = b""
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._in, self._out = ours_in, ours_out
        handed = [fcntl.fcntl(each, fcntl.F_DUPFD, _FREE) for each in (theirs_in, theirs_out)]

        def place() -> None:
            os.dup2(handed[0], _TO_BROWSER)
            os.dup2(handed[1], _FROM_BROWSER)

        words = [
            *(chromium_path() or "chromium", "--headless", "--no-sandbox", "--remote-debugging-pipe"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-dev-shm-usage", f"--user-data-dir={self._profile.name}", *arguments),
        ]
        try:
            self._process = subprocess.Popen(
                words,
                preexec_fn=place,
                pass_fds=(*handed, _TO_BROWSER, _FROM_BROWSER),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(ours_in)
            os.close(ours_out)
            self._profile.cleanup()
            raise
        finally:
            for each in (theirs_in, theirs_out, *handed):
                os.close(each)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        os.close(self._in)
        # The session is its own, so these are its processes and no others.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._profile.cleanup()

    @property
    def processes(self) -> list[int]:
        """Process ids of the browser and its helpers."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                except (OSError, ValueError, IndexError):
                    continue
                if session == self._process.pid:
                    found.append(int(entry.name))
        return found

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a command. Raises RuntimeError with what the browser said, TimeoutError if it says nothing."""
        number = self._send(method, session, parameters)
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _send(self, method: str, session: str | None, parameters: dict[str, Any]) -> int:
        """Send a command; its number, which the answer carries."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._out, content) :]
        return self._number

    def _note(self, said: dict[str, Any]) -> None:
        """Keep an event. A worker waits at its start until what it asks for is noted too."""
        if "id" in said:
            return  # the answer to a command of the lines below
        self.events.append(said)
        if said["method"] == "Target.attachedToTarget" and said["params"]["waitingForDebugger"]:
            worker = said["params"]["sessionId"]
            self._send("Network.enable", worker, {})
            attach = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
            self._send("Target.setAutoAttach", worker, attach)  # workers of the worker
            self._send("Runtime.runIfWaitingForDebugger", worker, {})

    def wait_event(self, fits: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The first event that fits, also among those that came before."""
        deadline = time.monotonic() + PATIENCE
        seen = 0
        while True:
            for event in self.events[seen:]:
                if fits(event):
                    return event
            seen = len(self.events)
            self._note(self._next(deadline, what))

    def _next(self, deadline: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise TimeoutError(f"Chromium did not answer in {PATIENCE:.0f} s: {what}")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise RuntimeError(f"Chromium ended with code {self._process.wait()}: {what}")
            self._read += more
        line, _, self._read = self._read.partition(b"\0")
        made: dict[str, Any] = json.loads(line)
        return made

    def open(self, url: str, *, before: str = "") -> Page:
        """A new page at this address, loaded; ``before`` is run in it before its own scripts."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        if before:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        page.go(url)
        return page


class Page:
    """One page of the browser."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self.browser = browser
        self.session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command to this page."""
        return self.browser.call(method, self.session, **parameters)

    def go(self, url: str) -> None:
        """Load an address and wait until the page and its scripts are there."""
        before = len(self.browser.events)
        self.call("Page.navigate", url=url)
        events = self.browser.events

        def loaded(event: dict[str, Any]) -> bool:
            return event.get("method") == "Page.loadEventFired" and event in events[before:]

        self.browser.wait_event(loaded, f"loading {url}")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited. RuntimeError with what it threw."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if (thrown := answer.get("exceptionDetails")) is not None:
            raise RuntimeError(thrown.get("exception", {}).get("description", thrown["text"]))
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true, looking after each picture that the page paints."""
        patience = 1000 * PATIENCE - 5000
        self.evaluate(
            f"""new Promise((resolve, reject) => {{
              const end = performance.now() + {patience};
              const look = () => {{
                if ({condition}) resolve(true);
                else if (performance.now() > end) reject(new Error({json.dumps("not in time: " + condition)}));
                else setTimeout(look, 20);
              }};
              look();
            }})"""
        )

    def give_files(self, selector: str, *paths: str | Path) -> None:
        """Choose files in an input element."""
        found = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        names = [os.path.abspath(path) for path in paths]
        self.call("DOM.setFileInputFiles", files=names, objectId=found["result"]["objectId"])

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Another tab is in front."""
        other = self.browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.browser.call("Target.activateTarget", targetId=other)
        try:
            self.until("document.hidden")
            yield
        finally:
            self.browser.call("Target.closeTarget", targetId=other)
        self.until("!document.hidden")

    def look_as(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Set size in pixels, colour scheme and whether it is a phone."""
        scale = 2 if phone else 1
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def save_screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    @property
    def requests(self) -> list[str]:
        """Addresses that the page and its workers asked for so far, blobs of its own not counted."""
        self.evaluate("0")  # what was said meanwhile is read
        asked = (event for event in self.browser.events if event.get("method") == "Network.requestWillBeSent")
        urls = (event["params"]["request"]["url"] for event in asked)
        return [url for url in urls if not url.startswith(("blob:", "data:"))]

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and exceptions that nothing caught."""
        self.evaluate("0")
        found = []
        for event in self.browser.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"].get("exception", {}).get("description", "")))
            elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in (
                "error",
                "warning",
            ):
                found.append(parameters["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in (
                "error",
                "warning",
            ):
                found.append(" ".join(str(each.get("value")) for each in parameters["args"]))
        return found
