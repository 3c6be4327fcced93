// The detector in a worker of its own: what goes to and fro, and what becomes of a stream whose detections come late.

import assert from "node:assert/strict";
import test from "node:test";

import {pose} from "../../fkp_live/server/static/engine/constants.js";
import {apply, boxOf, invert} from "../../fkp_live/server/static/engine/geometry.js";
import {LateDetector} from "../../fkp_live/server/static/engine/late_detector.js";
import {brightened} from "../../fkp_live/server/static/engine/low_light.js";
import {Picture} from "../../fkp_live/server/static/engine/picture.js";
import {Pipeline} from "../../fkp_live/server/static/engine/pipeline.js";
import {golden} from "./golden.mjs";

const {points, confidence} = golden("frames").frames[0];
const BOX = (() => {
  const axis = (k) => points.filter((_, i) => i % 2 === k);
  return Float32Array.of(Math.min(...axis(0)), Math.min(...axis(1)), Math.max(...axis(0)), Math.max(...axis(1)));
})();
const FACE = [{box: BOX, score: 0.9}];
const grey = (level) => new Picture(new Uint32Array(640 * 480).fill(level * 0x10101), 640, 480);

/** A detector in another worker that answers when the test says so. */
class Held {
  busy = false;
  asked = 0;
  detect() {
    this.busy = true;
    this.asked += 1;
    return new Promise((resolve, reject) => Object.assign(this, {resolve, reject}));
  }
  async answer(detections) {
    this.busy = false;
    this.resolve({detections, ms: 30, pixels: null});
    await new Promise(setImmediate); // what waits for it runs
  }
  lose(why) {
    this.lost = why;
    this.engine.late = null;
    this.reject(new Error(why));
  }
}

/** A live pipeline of a face that is there wherever it is looked for, `at` pixels to the right of where it began. */
function live(options) {
  const late = new Held();
  const made = {late, now: 0, at: 0, sees: true, matrices: []};
  const engine = {
    late,
    detector: {detect: async () => (made.now++, FACE)},
    landmarks: {
      spec: {size: 112, margin: 0.125}, knowsTurned: 0.5,
      async locate(_, matrices) {
        made.matrices = matrices;
        const moved = points.map((value, i) => (i % 2 ? value : value + made.at));
        return matrices.map(() => ({points: moved, confidence: made.sees ? confidence : new Float32Array(68)}));
      },
    },
    expressions: null,
  };
  late.engine = engine;
  made.pipeline = new Pipeline(engine, options);
  let k = 0;
  made.frame = async (level = 100) => {
    const {faces, detected} = await made.pipeline.process(grey(level), k++ / 60, true);
    await made.pipeline.detectLater();
    return {ids: faces.map(({id}) => id), detected};
  };
  return made;
}

test("frames do not wait: what is found late goes into the frame that follows it", async () => {
  const made = live({detectEvery: 3});
  assert.deepEqual(await made.frame(), {ids: [1], detected: true});
  assert.deepEqual([made.now, made.late.asked], [1, 0], "the first frame has its faces at once");
  for (const asked of [0, 0, 1, 1, 1, 1]) {
    made.at += 40; // two faces farther before the detector answers
    assert.deepEqual((await made.frame()).ids, [1]);
    assert.equal(made.late.asked, asked);
  }
  await made.late.answer([{box: BOX.map((side, i) => (i % 2 ? side : side + 120)), score: 0.5}]);
  const before = made.matrices;
  assert.deepEqual((await made.frame()).ids, [1], "it was seen where it was at the time");
  const [turned, shift] = [0, 2].map((i) => Math.abs(made.matrices[0][i] - before[0][i]));
  assert.ok(turned < 1e-6 && shift < 60 * before[0][0], "its crop is where it is now");
  assert.equal(made.now, 1);
});

test("while nobody is followed the stream goes on, too", async () => {
  const made = live();
  made.sees = false;
  await made.frame();
  for (let k = 0; k < 6; k++) assert.deepEqual((await made.frame()).ids, []);
  assert.deepEqual([made.now, made.late.asked], [1, 1]);
  made.sees = true;
  await made.late.answer(FACE);
  assert.deepEqual((await made.frame()).ids, [1]);
});

test("what was found before a cut is forgotten", async () => {
  const made = live({detectEvery: 1});
  await made.frame();
  await made.frame();
  assert.equal(made.late.asked, 1);
  await made.frame(220);
  assert.equal(made.now, 2, "the other scene has its faces at once");
  const other = [...FACE, {box: BOX.map((side) => side / 4), score: 0.9}];
  await made.late.answer(other);
  assert.deepEqual((await made.frame(220)).ids.length, 1);
});

test("a detector that is lost, or has hung, is replaced by the one here", async () => {
  for (const lose of [(late) => late.lose("crashed"), () => {}]) {
    const made = live({detectEvery: 1});
    for (let k = 0; k < 3; k++) await made.frame();
    lose(made.late);
    for (let k = 0; k < 310 && !made.late.lost; k++) await made.frame();
    assert.match(made.late.lost, /crashed|does not answer/);
    await made.frame();
    assert.deepEqual((await made.frame()).ids, [1]);
    assert.ok(made.now > 1);
  }
});

test("what is still found for a live stream is not used for another one", async () => {
  const made = live({detectEvery: 1});
  await made.frame();
  await made.frame();
  await made.pipeline.process(grey(100), 1);
  await made.late.answer([]);
  assert.equal((await made.pipeline.process(grey(100), 2)).faces.length, 1);
});

/** Five made-up faces that walk, by `speed` pixels a second at most, and turn back at the sides. */
function walking(speed) {
  let seed = 3;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5;
  const faces = Array.from({length: 5}, (_, i) => ({at: [150 + i * 220, 350 + 300 * random()], step: [speed * random(), speed * random()]}));
  return () => {
    for (const {at, step} of faces) {
      [1180, 620].forEach((most, axis) => {
        at[axis] += step[axis] / 60;
        if ((at[axis] < 100 && step[axis] < 0) || (at[axis] > most && step[axis] > 0)) step[axis] *= -1;
      });
    }
    return faces.map(({at}) => Float32Array.from(pose.mean, (value, i) => 150 * value + at[i % 2]));
  };
}

test("five faces that walk fast are followed, although what is found is four frames late", async () => {
  const [walk, picture] = [walking(700), new Picture(new Uint32Array(1280 * 720), 1280, 720)];
  let faces = [];
  const found = () => faces.map((each) => ({box: Float32Array.from(boxOf(each)), score: 0.9}));
  const late = new Held();
  let inLine = 0;
  const pipeline = new Pipeline({
    late,
    detector: {detect: async () => (inLine++, found())},
    landmarks: {
      spec: {size: 112, margin: 0.125}, knowsTurned: 0.5,
      locate: async (_, matrices) => matrices.map((matrix) => {
        // The face that is nearest to the middle of the crop, where it is a face as the network would see one.
        const [x, y] = apply(invert(matrix), Float32Array.of(55.5, 55.5));
        const off = (face) => Math.hypot(face[60] - x, face[61] - y);
        const nearest = faces.reduce((one, other) => (off(other) < off(one) ? other : one));
        const share = (off(nearest) * Math.hypot(matrix[0], matrix[3])) / 112;
        return {points: nearest, confidence: new Float32Array(68).fill(share < 0.35 ? 0.9 : 0.1)};
      }),
    },
    expressions: null,
  });
  let whole = 0;
  let waited = 0;
  let seen = [];
  for (let k = 0; k < 300; k++) {
    faces = walk();
    if (late.busy && ++waited === 4) await late.answer(seen);
    whole += Number((await pipeline.process(picture, k / 60, true)).faces.length === 5);
    const wasBusy = late.busy;
    await pipeline.detectLater();
    if (late.busy && !wasBusy) [waited, seen] = [0, found()];
  }
  assert.ok(whole > 270, `${whole} of 300 frames have all faces`);
  assert.ok(late.asked > 10 && inLine < 8, `${late.asked} late and ${inLine} in line`);
});

// From here on with the worker itself, whose messages are passed on, and an onnxruntime-web that finds nothing.
globalThis.self = globalThis;
const ORT = `data:text/javascript,${encodeURIComponent(`
  export const env = {wasm: {}};
  export class Tensor { constructor(type, data, dims) { Object.assign(this, {data, dims}); } }
  export const InferenceSession = {async create() {
    // As onnxruntime-web does with the bytes that it is given.
    const {instance, module} = await WebAssembly.instantiate(new Uint8Array(env.wasm.wasmBinary), {});
    globalThis.instantiated = [instance instanceof WebAssembly.Instance, module];
    return {run: async ({image: {data, dims: [, , height, width]}}) => {
      globalThis.shown = data.slice();
      const anchors = [8, 16, 32].reduce((sum, stride) => sum + (width / stride) * (height / stride), 0);
      return {score: {data: new Float32Array(anchors)}, box: {data: new Float32Array(4 * anchors)}};
    }};
  }};
`)}`;
globalThis.fetch = async (url) => ({ok: !url.includes("missing"), status: 404, arrayBuffer: async () => new ArrayBuffer(8)});
globalThis.Worker = class {
  constructor(url) {
    this.url = url;
    globalThis.postMessage = (data, moved = []) => {
      const copy = structuredClone(data, {transfer: moved});
      setImmediate(() => this.onmessage({data: copy}));
    };
  }
  async postMessage(data, moved) {
    const copy = structuredClone({...data, wasm: null}, {transfer: moved});
    await import(this.url);
    globalThis.onmessage({data: {...copy, wasm: data.wasm}});
  }
  terminate() {
    this.ended = true;
  }
};
const wasm = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
const FILES = {module: ORT, wasm, detector: "yunet.onnx"};

test("a picture is handed over and comes back; a dark one is looked at as bright", async () => {
  const late = await LateDetector.open(FILES, assert.fail);
  assert.deepEqual(globalThis.instantiated, [true, wasm], "the module is not compiled again");
  for (const [level, seen] of [[180, 180], [20, 255]]) {
    const picture = grey(level);
    const asked = late.detect(brightened(picture));
    assert.ok(late.busy);
    assert.equal(picture.pixels.length, 0, "without a copy");
    const {detections, ms, pixels} = await asked;
    assert.deepEqual([detections, late.busy, pixels.length], [[], false, 640 * 480]);
    assert.ok(ms >= 0);
    assert.ok(Math.abs(globalThis.shown[0] - seen) < 40, `${globalThis.shown[0]} for ${level}`);
  }
});

test("a worker that does not start, or ends, says why, and once", async () => {
  await assert.rejects(LateDetector.open({...FILES, detector: "missing.onnx"}, assert.fail), /missing.onnx could not be loaded/);
  const said = [];
  const late = await LateDetector.open(FILES, (why) => said.push(why));
  const asked = late.detect(grey(100));
  late._worker.onerror({message: "out of memory"});
  await assert.rejects(asked, /out of memory/);
  late.lose("again");
  assert.deepEqual([said, late.busy, late._worker.ended], [["out of memory"], false, true]);
  const {Worker} = globalThis;
  delete globalThis.Worker;
  await assert.rejects(LateDetector.open(FILES, assert.fail), /can start no other one/);
  globalThis.Worker = Worker;
});
