"""The page of ``fkp-live web`` in a browser: faces where Python finds them, and nothing asked for after loading."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp_live import FaceLandmarker
from fkp_live.recorded import CSV_COLUMNS
from fkp_live.server import site as module
from fkp_live.server.site import Asset, site
from fkp_live.server.site_server import SiteServer
from fkp_live.sources.recordings import open_recording
from fkp_live.topology import N_POINTS

if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)

from benchmarks.browser_camera import write_y4m
from benchmarks.chromium import Chromium, Page, chromium_path

ROOT = Path(__file__).parents[2]
STATIC = Path(module.__file__).parent / "static"
PHOTO = ROOT / "tests" / "photos" / "hopper.jpg"
DEMO = ROOT / "fkp_live" / "assets" / "demo.mp4"
# Kept in the page, so that no result is missed between two looks.
KEEP = """
window.seen = [];
document.addEventListener("fkp-result", (event) => seen.push(event.detail));
const ask = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = async function (...what) {
  window.camera = await ask.apply(this, what);
  return camera;
};
"""
# The seconds of the page pass when they are asked for; workers that were begun.
SECONDS = """
const seconds = [];
let begun = 0;
window.setInterval = (act) => seconds.push(act);
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    begun += 1;
  }
};
"""
# Whether frames of a camera are read as they come or taken when they are shown, and the browser's means for that.
READS = {"read": "window.Kept ?? MediaStreamTrackProcessor", "shown": "undefined"}
pytestmark = [
    pytest.mark.skipif(chromium_path() is None, reason="needs chromium"),
    pytest.mark.skipif(
        not all((STATIC / folder).is_dir() for folder in ("vendor", "common", "engine")),
        reason="needs make web",
    ),
]


# In place of the worker: no face in any picture, and no answer at all to a large one and to frames.
EMPTY_WORKER = b"""onmessage = ({ data }) => {
  const { kind, bitmap, stream } = data;
  if (kind === "open") postMessage({ kind: "ready", ms: 1 });
  if (kind !== "picture" || bitmap.width > 2999) return;
  const result = { frame: 0, time: 0, detected: true, faces: [] };
  postMessage({ kind: "result", stream, result, timings: { total: 1 } });
};"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with SiteServer(site(), "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.url
        server.shutdown()


@pytest.fixture(scope="module")
def empty() -> Iterator[SiteServer]:
    """The site with `EMPTY_WORKER`, which is open at once."""
    files = site()
    files["engine/worker.js"] = Asset(files["engine/worker.js"].kind, EMPTY_WORKER)
    with SiteServer(files, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def page(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    film = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_y4m(DEMO, film, 30, frames=10)
    # It is played in a loop: there and back, or its end would be a cut, at which the detector works in line.
    head, *frames = film.read_bytes().split(mark := b"FRAME\n")
    film.write_bytes(mark.join([head, *frames, *frames[::-1]]))
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with Chromium((*fake, f"--use-file-for-fake-video-capture={film}")) as browser:
        page = browser.open(url, before=KEEP)
        page.until("document.getElementById('opening').textContent.includes('ready')")
        # The second worker, which starts then.
        page.until("document.getElementById('fact-detector').title.startsWith('Of a camera')")
        yield page


def download(page: Page, kind: str, folder: Path) -> Path:
    """The file that a button of the page makes."""
    page.browser.call(
        "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True
    )
    seen = len(page.browser.events)
    page.evaluate(f"document.querySelector('[data-do={kind}]').click()")

    def done(event: dict[str, object]) -> bool:
        said = event.get("params", {})
        return (
            event in page.browser.events[seen:]
            and isinstance(said, dict)
            and said.get("state") == "completed"
        )

    page.browser.wait_event(done, f"download of {kind}")
    (path,) = folder.glob(f"*.{kind}")
    return path


def choose(page: Page, model: str) -> None:
    """Choose a network."""
    change = f"select.value = '{model}'; select.dispatchEvent(new Event('change'))"
    page.evaluate(f"{{ const select = document.getElementById('model'); {change} }}")


def test_a_picture_has_its_points_and_nothing_is_asked_for(page: Page, tmp_path: Path) -> None:
    asked = page.requests
    assert any(url.endswith("/models/fkp68-int8.onnx") for url in asked)
    assert page.evaluate("document.querySelector('#faces .quiet').hidden"), "nobody has looked for faces yet"
    page.give_files("#file", PHOTO)
    page.until("seen.length")
    result = page.evaluate("seen[0]")
    (face,) = result["faces"]
    (ours,) = FaceLandmarker(model="fkp68-int8", provider="cpu")(cv2.imread(str(PHOTO)))
    points = np.array(face["points"])
    assert points.shape == (N_POINTS, 2)
    eyes = np.linalg.norm(ours.points[36] - ours.points[45])
    assert np.linalg.norm(points - ours.points, axis=1).mean() < 0.01 * eyes

    # A file that is no picture is said to be none, and the page goes on.
    (tmp_path / "no picture ü\n<b>.png").write_bytes(b"x")
    page.give_files("#file", tmp_path / "no picture ü\n<b>.png")
    page.until("document.getElementById('message').textContent.includes('<b>.png is not a picture')")

    assert page.requests == asked
    assert page.complaints == []


def test_a_video_is_recorded_as_python_records_it(page: Page, tmp_path: Path) -> None:
    asked = page.requests
    # Slower than it is, so that there are enough frames of it on a machine that is busy.
    page.evaluate("seen.length = 0; document.getElementById('video').defaultPlaybackRate = 0.25")
    page.give_files("#file", DEMO)
    page.until("seen.length")
    page.evaluate("document.querySelector('[data-do=record]').click(); seen.length = 0")
    page.until("seen.length >= 5")
    leave = "dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert page.evaluate(leave) is False, "a recording is not lost by a reload without a question"
    recorded = page.evaluate("document.querySelector('[data-do=record]').click(); seen.length")
    assert page.evaluate(leave) is True
    assert page.requests == asked

    # A recording without a frame takes no other's place, and a jump does not end it.
    offered = page.evaluate("document.getElementById('recorded').textContent")
    pressed = page.evaluate(
        """(() => {
          const record = document.querySelector('[data-do=record]'), video = document.getElementById('video');
          record.click();
          video.dispatchEvent(new Event('seeking'));
          const pressed = record.getAttribute('aria-pressed');
          record.click();
          return pressed;
        })()"""
    )
    assert pressed == "true"
    assert page.evaluate("document.getElementById('recorded').textContent") == offered

    for kind in ("jsonl", "csv"):
        path = download(page, kind, tmp_path)
        with open_recording(path) as recording:
            results = list(recording)
        assert len(results) >= recorded
        assert {face.id for result in results for face in result.faces} == {1}
        assert all(face.pose is not None and face.measures is not None for face in results[-1].faces)
        if kind == "csv":
            assert path.read_text().partition("\n")[0].split(",") == list(CSV_COLUMNS)
        else:
            assert recording.header["model"]["name"] == "fkp68-int8"
            assert recording.header["source"]["name"] == DEMO.name
    assert page.complaints == []


def test_a_recording_that_begins_with_its_stream_says_the_size_of_its_frames(
    page: Page, tmp_path: Path
) -> None:
    page.evaluate("seen.length = 0")
    page.give_files("#file", PHOTO)
    page.until("seen.length")
    page.evaluate(
        """(() => {
          const record = document.querySelector('[data-do=record]');
          new MutationObserver((_, observer) => {
            if (record.disabled) return;
            observer.disconnect();
            record.click();
            seen.length = 0;
          }).observe(record, { attributes: true });
        })()"""
    )
    page.give_files("#file", DEMO)
    page.until(
        "document.querySelector('[data-do=record]').getAttribute('aria-pressed') === 'true' && seen.length"
    )
    page.evaluate("document.querySelector('[data-do=record]').click()")
    with open_recording(download(page, "jsonl", tmp_path)) as recording:
        source = recording.header["source"]
    assert source == {**source, "name": DEMO.name, "width": 640, "height": 480}


def test_each_jump_in_a_video_that_rests_is_answered(page: Page) -> None:
    page.evaluate("window.video.defaultPlaybackRate = 1; seen.length = 0")
    page.give_files("#file", DEMO)
    page.until("seen.length")
    page.evaluate("video.pause()")
    # Two places of one frame, and others.
    for place in (1.01, 1.015, 0.5, 1.5, 0.2, 1.51):
        page.evaluate(f"seen.length = 0; video.currentTime = {place}")
        page.until(f"seen.some(({{time}}) => Math.abs(time - {place}) < 0.05)")
    assert page.evaluate("document.querySelectorAll('#faces li').length") == 1
    assert page.complaints == []


def test_the_detector_of_a_camera_has_a_worker_of_its_own_until_that_is_lost(page: Page) -> None:
    asked = page.requests
    page.evaluate("seen.length = 0; document.querySelector('[data-do=camera]').click()")
    page.until(
        "seen.length > 30 && document.getElementById('fact-detector').textContent.includes('own worker')"
    )
    assert page.evaluate(
        "seen.filter(({faces}) => faces.length).every(({faces}) => faces[0].id === seen[0].faces[0].id)"
    )
    page.evaluate("camera.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    page.until("document.getElementById('message').textContent.startsWith('The camera stopped')")
    assert page.evaluate("document.getElementById('over').hidden") is False
    page.until("document.getElementById('fact-fps').textContent.length === 1")
    assert page.requests == asked
    assert page.complaints == []


def test_frames_that_were_lost_are_counted_anew_by_other_networks(page: Page) -> None:
    page.evaluate("seen.length = 0; document.querySelector('[data-do=camera]').click()")
    page.until("seen.length > 5")
    page.evaluate(
        """(() => {
          const [track] = camera.getVideoTracks(), totalFrames = track.stats.totalFrames + 1e6;
          Object.defineProperty(track, 'stats', { value: { totalFrames } });
        })()"""
    )
    dropped = "Number(document.getElementById('fact-dropped').textContent)"
    page.until(f"{dropped} > 9e5")
    choose(page, "fkp68-tiny")
    page.until(f"{dropped} < 9e5")
    choose(page, "fkp68-int8")
    page.evaluate("document.querySelector('[data-do=camera]').click()")
    page.until("document.getElementById('opening').textContent.includes('ready')")


def test_a_reader_that_falls_silent_is_left_and_times_go_on(page: Page) -> None:
    """As Chromium sometimes does: the camera gives frames, and a reader of them gets none any more."""
    page.evaluate(
        """(() => {
          window.Kept ??= MediaStreamTrackProcessor;
          MediaStreamTrackProcessor = class {
            constructor(options) {
              let left = 10;
              const transform = (frame, controller) => {
                if (left-- > 0) controller.enqueue(frame);
                else frame.close();
              };
              this.readable = new Kept(options).readable.pipeThrough(new TransformStream({ transform }));
            }
          };
        })()"""
    )
    click = "document.querySelector('[data-do=camera]').click()"
    page.evaluate(f"seen.length = 0; {click}")
    page.until("seen.length > 20")
    assert page.evaluate("document.getElementById('video').srcObject !== null")
    assert page.evaluate("seen.every(({time}, i) => !i || time > seen[i - 1].time)")
    assert page.evaluate("seen.at(-1).time") > 1, "the silence counts"
    page.evaluate(f"{click}; MediaStreamTrackProcessor = Kept")
    assert page.complaints == []


@pytest.mark.parametrize("way", ["read", "shown"])
def test_a_camera_goes_on_after_its_tab_was_hidden(page: Page, way: str) -> None:
    """Its frames are read as they come; or taken when shown, where MediaStreamTrackProcessor is missing."""
    page.evaluate(f"window.Kept ??= MediaStreamTrackProcessor; MediaStreamTrackProcessor = {READS[way]}")
    click = "document.querySelector('[data-do=camera]').click()"
    for _ in range(4):
        page.evaluate(f"seen.length = 0; {click}")
        page.until("seen.length > 5")
        if page.evaluate("document.getElementById('video').srcObject === null") is (way == "read"):
            break
        page.evaluate(click)  # a reader that was given nothing, see camera_reader.js
    else:
        pytest.fail(f"frames are never {way}")
    with page.hidden():
        before = page.evaluate("seen.length")
        if way == "read":
            page.until(f"seen.length > {before + 5}")
    before = page.evaluate("seen.length")
    page.until(f"seen.length > {before + 5}")
    assert page.evaluate("seen.every(({time}, i) => !i || time > seen[i - 1].time)")
    assert page.evaluate("new Set(seen.flatMap(({faces}) => faces.map(({id}) => id))).size") == 1
    page.evaluate("document.querySelector('[data-do=camera]').click()")
    assert page.evaluate("document.getElementById('over').hidden") is False
    assert page.evaluate("document.getElementById('message').textContent") == ""
    assert page.complaints == []


def test_a_video_that_rests_is_seen_by_each_network_that_is_chosen(page: Page) -> None:
    page.evaluate("seen.length = 0")
    page.give_files("#file", DEMO)
    page.until("seen.length")
    page.evaluate("video.pause()")
    for model in ("fkp68-tiny", "fkp68-int8"):
        choose(page, model)
        page.evaluate("seen.length = 0")
        page.until("seen.length")
        assert page.evaluate("document.querySelectorAll('#faces li').length") == 1


@pytest.mark.parametrize("way", ["read", "shown"])
def test_a_worker_that_does_not_answer_is_given_up_and_started_again(
    page: Page, empty: SiteServer, way: str
) -> None:
    other = page.browser.open(empty.url, before=f"{SECONDS}MediaStreamTrackProcessor = {READS[way]}")
    other.until("document.getElementById('opening').textContent.includes('ready')")
    other.evaluate("for (let i = 0; i < 50; i += 1) seconds[0]()")
    assert other.evaluate("document.getElementById('message').textContent") == "", "it was asked nothing"
    other.evaluate("document.querySelector('[data-do=camera]').click()")
    other.until("document.getElementById('over').hidden")
    other.until("seconds[0](), document.getElementById('message').textContent.includes('no answer came')")
    assert other.evaluate("document.getElementById('over').hidden") is False
    other.evaluate("document.querySelector('[data-do=camera]').click()")
    other.until("document.getElementById('over').hidden && begun === 2")
    other.call("Page.close")


def test_what_was_asked_for_last_is_opened_also_where_the_networks_were_lost(
    page: Page, empty: SiteServer
) -> None:
    count = "let asked = 0; navigator.mediaDevices.getUserMedia = () => { asked += 1; return new Promise(() => {}); };"
    other = page.browser.open(empty.url, before=f"{KEEP}{SECONDS}")
    other.until("document.getElementById('opening').textContent.includes('ready')")
    other.evaluate("document.querySelector('[data-do=camera]').click()")
    other.until("seconds[0](), document.getElementById('message').textContent.includes('no answer came')")
    other.evaluate(count)
    content = base64.b64encode(PHOTO.read_bytes()).decode()
    other.evaluate(
        f"""(() => {{
          document.querySelector('[data-do=camera]').click();
          const bytes = Uint8Array.from(atob('{content}'), (each) => each.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], 'photo.jpg', {{ type: 'image/jpeg' }}));
          document.dispatchEvent(new DragEvent('drop', {{ dataTransfer }}));
        }})()"""
    )
    other.until("seen.length || asked")
    assert other.evaluate("asked") == 0
    assert other.evaluate("document.getElementById('source').textContent") == "photo.jpg"
    other.call("Page.close")


def test_nobody_waits_for_a_large_picture_that_was_given_up(
    page: Page, empty: SiteServer, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    cv2.imwrite(str(large), np.zeros((3000, 3000, 3), np.uint8))
    other = page.browser.open(empty.url, before=KEEP)
    other.until("document.getElementById('opening').textContent.includes('ready')")
    other.give_files("#file", large)
    other.until("document.getElementById('message').textContent.startsWith('Looking')")
    other.give_files("#file", PHOTO)
    other.until("seen.length")
    assert other.evaluate("document.getElementById('source').textContent") == PHOTO.name


def test_what_is_missing_is_said_again_at_each_start(page: Page, empty: SiteServer) -> None:
    facts = empty.files.pop("/web/facts.json")
    said = "document.getElementById('message').textContent"
    other = page.browser.open(empty.url, before=KEEP)
    other.until(f"{said}.startsWith('web/facts.json could not be loaded')")
    other.evaluate("document.getElementById('message').textContent = ''")
    other.give_files("#file", PHOTO)
    other.until(f"{said}.startsWith('web/facts.json could not be loaded')")
    empty.files["/web/facts.json"] = facts
    other.give_files("#file", PHOTO)
    other.until("seen.length")


@pytest.mark.parametrize(
    ("lacking", "element", "said"),
    [
        ("engine/geometry.js", "message", "engine/geometry.js could not be loaded"),
        (
            "vendor/ort-wasm-simd-threaded.wasm",
            "message",
            "/ort-wasm-simd-threaded.wasm could not be loaded: ",
        ),
        ("common/overlay.js", "broken", "/common/overlay.js could not be loaded"),
        ("engine/detector_worker.js", "fact-detector", "no worker of its own: engine/detector_worker.js"),
    ],
)
def test_a_missing_file_is_named(page: Page, lacking: str, element: str, said: str) -> None:
    files = site()
    del files[lacking]
    with SiteServer(files, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        other = page.browser.open(server.url)
        shown = f"document.getElementById('{element}')"
        other.until(f"({shown}.title + ({shown}.hidden ? '' : {shown}.textContent)).includes('{said}')")
        server.shutdown()
