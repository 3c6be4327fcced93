// Frames of a camera, read as they come: copies are handed on, and the camera gets all of its own back.

import assert from "node:assert/strict";
import test, {afterEach, mock} from "node:test";

import {CameraReader} from "../../fkp_live/server/static/web/camera_reader.js";

globalThis.VideoFrame = class {
  constructor(pixels, how) {
    Object.assign(this, {pixels, ...how});
  }
};

/** A frame of a camera; says whether it was closed. */
function frame(timestamp, more = {}) {
  return {
    format: "I420", visibleRect: {x: 0, y: 0, width: 4, height: 2}, displayWidth: 4, displayHeight: 2, timestamp, closed: 0,
    allocationSize: () => 12,
    async copyTo(pixels) {
      new Uint8Array(pixels).fill(7);
      return [{offset: 0, stride: 4}, {offset: 8, stride: 2}, {offset: 10, stride: 2}];
    },
    close() {
      this.closed += 1;
    },
    ...more,
  };
}

const readers = [];

// Their clocks would keep the tests from ending.
afterEach(() => {
  while (readers.length) readers.pop().stop();
});

/** A camera that gives what it is told to, and what the reader of it handed on. */
function opened() {
  const camera = {cancelled: false, track: {stats: {totalFrames: 100}}, handed: [], gaveNothing: 0};
  globalThis.MediaStreamTrackProcessor = class {
    constructor({track}) {
      assert.equal(track, camera.track);
      this.readable = new ReadableStream({
        start: (controller) => Object.assign(camera, {give: (each) => controller.enqueue(each), end: () => controller.close()}),
        cancel: () => (camera.cancelled = true),
      });
    }
  };
  assert.ok(CameraReader.isThere);
  const stream = {getVideoTracks: () => [camera.track]};
  camera.reader = new CameraReader(stream, (picture, time) => camera.handed.push([picture, time]), () => (camera.gaveNothing += 1));
  readers.push(camera.reader);
  return camera;
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

test("each frame is copied, handed on with its time, and closed", async () => {
  const camera = opened();
  const frames = [5_000_000, 5_020_000].map((timestamp) => frame(timestamp));
  frames.forEach(camera.give);
  await turns();
  assert.deepEqual(camera.handed.map(([, time]) => time), [0, 0.02]);
  const [{pixels, format, codedWidth, displayHeight, timestamp, transfer}] = camera.handed[0];
  assert.deepEqual([format, codedWidth, displayHeight, timestamp, transfer[0] === pixels], ["I420", 4, 2, 5_000_000, true]);
  assert.deepEqual([...new Uint8Array(pixels)], Array(12).fill(7));
  assert.deepEqual(frames.map(({closed}) => closed), [1, 1]);
  camera.end();
  await turns();
});

test("a frame that cannot be copied is handed on itself", async () => {
  const camera = opened();
  const frames = [frame(0, {format: null}), frame(1, {rotation: 90}), frame(2, {copyTo: () => Promise.reject(new Error("no"))})];
  frames.forEach(camera.give);
  await turns();
  assert.deepEqual(camera.handed.map(([picture]) => picture), frames);
  assert.deepEqual(frames.map(({closed}) => closed), [0, 0, 0]);
});

test("frames that the browser has dropped are counted, but for those that may be on their way", async () => {
  const camera = opened();
  camera.give(frame(0));
  await turns();
  assert.equal(camera.reader.lost, 0);
  camera.track.stats.totalFrames += 10;
  assert.equal(camera.reader.lost, 7);
  camera.reader.recount();
  assert.equal(camera.reader.lost, 0);
  camera.track.stats.totalFrames += 5;
  assert.equal(camera.reader.lost, 3);
  delete camera.track.stats;
  assert.equal(camera.reader.lost, 0);
});

test("after a stop no frame is handed on, and the camera is left", async () => {
  const camera = opened();
  let copied;
  const late = frame(0, {copyTo: () => new Promise((resolve) => (copied = resolve))});
  camera.give(late);
  await turns();
  camera.reader.stop();
  const made = [];
  globalThis.VideoFrame.prototype.close = function () {
    made.push(this);
  };
  copied([]);
  await turns();
  assert.deepEqual([camera.handed.length, camera.cancelled, late.closed, made.length], [0, true, 1, 1]);
});

/** Two seconds in each of which the camera gave so many frames. */
async function pass(camera, given) {
  for (let i = 0; i < 2; i += 1) {
    camera.track.stats.totalFrames += given;
    await turns();
    mock.timers.tick(1000);
  }
}

test("a reader that gets nothing of a camera that gives frames says so", async () => {
  mock.timers.enable({apis: ["setInterval"]});
  const [silent, running, left] = [opened(), opened(), opened()];
  left.reader.stop();
  for (let i = 0; i < 3; i += 1) {
    running.give(frame(i));
    for (const camera of [silent, running, left]) camera.track.stats.totalFrames += 30;
    await turns();
    assert.equal(silent.gaveNothing, i > 1 ? 1 : 0);
    mock.timers.tick(1000);
  }
  assert.deepEqual([silent, running, left].map(({gaveNothing}) => gaveNothing), [1, 0, 0]);
  mock.timers.reset();
});

test("so does one that falls silent later, but not of a camera that rests or is muted", async () => {
  mock.timers.enable({apis: ["setInterval"]});
  const camera = opened();
  camera.give(frame(0));
  await pass(camera, 60);
  await pass(camera, 0);
  camera.track.muted = true;
  await pass(camera, 60);
  camera.track.muted = false;
  assert.equal(camera.gaveNothing, 0);
  await pass(camera, 60);
  await pass(camera, 60);
  assert.equal(camera.gaveNothing, 1);
  mock.timers.reset();
});

test("a page that stood still for a moment gives no reader up", async () => {
  mock.timers.enable({apis: ["setInterval"]});
  const camera = opened();
  for (let i = 0; i < 4; i += 1) {
    if (i % 2) camera.give(frame(i));
    camera.track.stats.totalFrames += 30;
    await turns();
    mock.timers.tick(1000);
  }
  assert.equal(camera.gaveNothing, 0);
  mock.timers.reset();
});

test("a camera whose frames nobody counts is silent where none comes", async () => {
  mock.timers.enable({apis: ["setInterval"]});
  const camera = opened();
  delete camera.track.stats;
  mock.timers.tick(2000);
  assert.equal(camera.gaveNothing, 1);
  mock.timers.reset();
});

test("the time since the first frame", async () => {
  const camera = opened();
  assert.equal(camera.reader.elapsed, 0);
  camera.give(frame(7_000_000));
  await turns();
  const [before, begun] = [performance.now(), camera.reader.begun];
  const {elapsed} = camera.reader;
  assert.ok(elapsed >= (before - begun) / 1000 && elapsed <= (performance.now() - begun) / 1000);
});
