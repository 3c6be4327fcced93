// The worker's messages, with networks that are made up: what it opens, answers and refuses.

import assert from "node:assert/strict";
import test from "node:test";

import {golden} from "./golden.mjs";

/** Points of a real face, as the landmark network gives them: in pixels of its crop. */
const FACE = (() => {
  const {points} = golden("frames").frames[0];
  const axis = (k) => points.filter((_, i) => i % 2 === k);
  const [x0, x1, y0, y1] = [0, 1].flatMap((k) => [Math.min(...axis(k)), Math.max(...axis(k))]);
  const scale = 112 / 1.25 / Math.max(x1 - x0, y1 - y0);
  return points.map((value, i) => 55.5 + scale * (value - (i % 2 ? (y0 + y1) / 2 : (x0 + x1) / 2)));
})();

const posted = [];
/** What the worker said of its detector, which comes beside the answers. */
const said = [];
let arrived = () => {};
globalThis.self = globalThis;
globalThis.postMessage = (message) => {
  (message.kind === "detector" ? said : posted).push(message);
  arrived();
};
// A face wherever it is looked for: an onnxruntime-web of a few lines, and files that are all there but one.
const ORT = `data:text/javascript,${encodeURIComponent(`
  export const env = {wasm: {}};
  export class Tensor {
    constructor(type, data, dims) { Object.assign(this, {type, data, dims}); }
  }
  export const InferenceSession = {
    async create(bytes) {
      if (bytes.length === 0) throw new Error("empty");
      return {run: async (feeds) => globalThis.answerOf(feeds)};
    },
  };
`)}`;
const fetched = [];
const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
globalThis.fetch = async (url) => {
  fetched.push(url);
  const body = url.endsWith(".wasm") ? EMPTY_MODULE : new Uint8Array(url.includes("empty") ? 0 : 8);
  const headers = new Headers({"Content-Type": url.includes("page.") ? "text/html; charset=utf-8" : "application/octet-stream"});
  return {ok: !url.includes("missing"), status: 404, headers, arrayBuffer: async () => body.buffer};
};
globalThis.answerOf = ({image, points}) => {
  const [count, channels, height, width] = image.dims;
  if (channels === 1) return {openness: {data: new Float32Array(count).fill(0.31)}, shut: {data: new Float32Array(count)}};
  if (points) return {logits: {data: new Float32Array(7 * count).fill(1).map((_, i) => Number(i % 7 === 1))}};
  if (width !== 112) {
    // A face in the middle of the picture.
    const anchors = [8, 16, 32].reduce((sum, stride) => sum + (width / stride) * (height / stride), 0);
    const [scores, boxes] = [new Float32Array(anchors), new Float32Array(4 * anchors)];
    const last = anchors - Math.ceil((width * height) / 2048);
    scores[last] = globalThis.hasFace ? 0.9 : 0;
    boxes.set([0.5, 0.5, 1, 1.2], 4 * last);
    return {score: {data: scores}, box: {data: boxes}, keypoints: {data: new Float32Array(10 * anchors)}};
  }
  return {points: {data: Float32Array.from({length: 136 * count}, (_, i) => FACE[i % 136])}, confidence: {data: new Float32Array(68 * count).fill(0.9)}};
};
globalThis.hasFace = true;

await import("../../fkp_live/server/static/engine/worker.js");

/** Send messages, and wait for so many answers. */
async function ask(count, ...messages) {
  posted.length = 0;
  for (const data of messages) globalThis.onmessage({data});
  while (posted.length < count) await new Promise((resolve) => (arrived = resolve));
  return [...posted];
}

/** A bitmap as a canvas would give it; says whether it was closed. */
function bitmap(width = 320, height = 256) {
  return {width, height, closed: 0, close() {
    this.closed += 1;
  }};
}
globalThis.OffscreenCanvas = class {
  constructor(width, height) {
    Object.assign(this, {width, height});
  }
  getContext() {
    const getImageData = (x, y, width, height) => ({data: new Uint8ClampedArray(4 * width * height).fill(200)});
    return {canvas: this, drawImage() {}, getImageData};
  }
};

const OPEN = {
  kind: "open",
  base: "https://example.org/page/",
  models: {
    detector: "models/yunet.onnx", landmarks: "models/fkp68-int8.onnx", eyes: "models/fkp-eyes.onnx",
    expression: "models/fkp-expression.onnx",
  },
  wasm: {module: ORT, binary: "vendor/ort.wasm"},
  options: {},
};

test("frames before the networks are open are refused, and closed", async () => {
  const picture = bitmap();
  const [answer] = await ask(1, {kind: "frame", frame: 0, time: 0, bitmap: picture});
  assert.equal(answer.kind, "failed");
  assert.equal(picture.closed, 1);
});

test("what cannot be opened is said, with a cure", async () => {
  const models = (part, url) => ({...OPEN.models, [part]: url});
  for (const [message, expected] of [
    [{...OPEN, models: models("landmarks", "models/mine.onnx")}, /no landmark network "mine"/],
    [{...OPEN, models: models("landmarks", "models/yunet.onnx")}, /no landmark network "yunet"/],
    [{...OPEN, models: models("detector", "missing.onnx")}, /missing.onnx could not be loaded: .*404/],
    [{...OPEN, models: models("detector", "empty.onnx")}, /empty.onnx could not be opened: empty/],
    [{...OPEN, models: models("eyes", "page.onnx")}, /page.onnx could not be loaded: .*a page/],
    [{...OPEN, wasm: {...OPEN.wasm, module: "data:text/javascript,x("}}, /x\( could not be loaded/],
    [{...OPEN, wasm: {...OPEN.wasm, binary: "missing.wasm"}}, /missing.wasm could not be loaded: .*404/],
    [{...OPEN, wasm: {...OPEN.wasm, binary: "no.wasm.txt"}}, /no.wasm.txt could not be loaded: .*magic/],
    [{kind: "unknown"}, /knows no message "unknown"/],
  ]) {
    const [answer] = await ask(1, message);
    assert.equal(answer.kind, "failed");
    assert.match(answer.message, expected);
    assert.ok(answer.cure.length > 5);
  }
});

test("frames are answered with JSONL objects, and every bitmap is closed", async () => {
  fetched.length = 0;
  const [ready] = await ask(1, OPEN);
  assert.deepEqual([ready.kind, ready.model], ["ready", "fkp68-int8"]);
  assert.ok(ready.ms > 0);
  assert.deepEqual(fetched.map((url) => url.replace("https://example.org/page/models/", "")), ["https://example.org/page/vendor/ort.wasm", "yunet.onnx", "fkp68-int8.onnx", "fkp-eyes.onnx"]);
  const pictures = [bitmap(), bitmap(), bitmap()];
  const frames = pictures.map((picture, i) => ({kind: "frame", frame: i, time: i / 30, bitmap: picture}));
  const answers = await ask(3, ...frames);
  answers.forEach(({kind, result, timings}, i) => {
    assert.deepEqual([kind, result.frame, result.faces.map(({id}) => id)], ["result", i, [1]]);
    assert.equal(result.faces[0].points.length, 68);
    assert.equal(result.faces[0].measures.eyes_open, 0.31);
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
    for (const name of ["detect", "landmarks", "track", "smooth", "measure", "total"]) assert.ok(timings[name] >= 0);
  });
  assert.deepEqual(pictures.map(({closed}) => closed), [1, 1, 1]);
});

test("the detector's own worker is started after the first face of a camera; where there is none, that is said", async () => {
  assert.deepEqual(said, []);
  const answers = await ask(1, {kind: "frame", frame: 2, time: 2 / 30, bitmap: bitmap(), isLive: true, stream: 3});
  assert.deepEqual(answers[0].result.faces.map(({id}) => id), [1]);
  assert.equal(answers[0].stream, 3);
  while (!said.length) await new Promise((resolve) => (arrived = resolve));
  assert.deepEqual(said.map(({isOwn}) => isOwn), [false]);
  assert.match(said[0].why, /can start no other one/);
});

test("expressions are loaded when they are asked for", async () => {
  fetched.length = 0;
  const frame = (index) => ({kind: "frame", frame: index, time: index / 30, bitmap: bitmap()});
  const [first, second] = await ask(2, frame(3), {kind: "options", options: {expression: true}}, frame(4));
  assert.equal(first.result.faces[0].expression, undefined);
  assert.equal(second.result.faces[0].expression.label, "happy");
  assert.equal(fetched.length, 1);
  const [third] = await ask(1, {kind: "options", options: {expression: false}}, frame(5));
  assert.equal(third.result.faces[0].expression, undefined);
});

test("a wrong option, time or size is refused, and the next frame is answered", async () => {
  const good = {kind: "frame", frame: 9, time: 1, bitmap: bitmap()};
  for (const [wrong, expected] of [
    [{kind: "options", options: {smooth: "very"}}, /expected one of off/],
    [{kind: "options", options: {maxFaces: 0}}, /maxFaces is 0/],
    [{...good, time: NaN, bitmap: bitmap()}, /time of frame 9 is NaN/],
    [{...good, bitmap: bitmap(0, 0)}, /0 x 0/],
    [{...good, bitmap: undefined}, /Frame 9 has no picture/],
    [null, /knows no message/],
  ]) {
    const [failed, answer] = await ask(2, wrong, {...good, bitmap: bitmap()});
    assert.equal(failed.kind, "failed");
    assert.match(failed.message, expected);
    assert.equal(answer.kind, "result");
  }
});

test("after a reset ids go on; a single picture has none; no face is no failure", async () => {
  const frame = {kind: "frame", frame: 0, time: 0, bitmap: bitmap()};
  const [again] = await ask(1, {kind: "reset"}, frame);
  assert.deepEqual(again.result.faces.map(({id}) => id), [2]);
  const [single] = await ask(1, {kind: "picture", frame: 0, time: 0, bitmap: bitmap()});
  assert.deepEqual(single.result.faces.map(({id}) => id), [null]);
  globalThis.hasFace = false;
  const [none] = await ask(1, {kind: "picture", bitmap: bitmap()});
  assert.deepEqual(none.result, {frame: 0, time: 0, detected: true, faces: []});
});

test("what faces show can be taken as their neutral face", async () => {
  globalThis.hasFace = true;
  const frame = (index) => ({kind: "frame", frame: index, time: index, bitmap: bitmap()});
  const [, after] = await ask(2, frame(100), {kind: "neutral"}, frame(101));
  const {relative} = after.result.faces[0].measures;
  for (const value of Object.values(relative)) assert.ok(Math.abs(value) < 0.002);
});

test("other networks can be opened; they know nothing of the faces before", async () => {
  const models = {...OPEN.models, landmarks: "models/fkp68.onnx"};
  const [ready, answer] = await ask(2, {...OPEN, models}, {kind: "frame", frame: 0, time: 200, bitmap: bitmap()});
  assert.equal(ready.model, "fkp68");
  assert.deepEqual(answer.result.faces.map(({id}) => id), [1]);
});
