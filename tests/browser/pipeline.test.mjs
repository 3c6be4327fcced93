import assert from "node:assert/strict";
import test from "node:test";

import {Picture} from "../../fkp_live/server/static/engine/picture.js";
import {locateFaces, Pipeline} from "../../fkp_live/server/static/engine/pipeline.js";
import {golden} from "./golden.mjs";

const {frames} = golden("frames");
const [{points, confidence}] = frames;
const box = (() => {
  const xs = points.filter((_, i) => i % 2 === 0);
  const ys = points.filter((_, i) => i % 2 === 1);
  return Float32Array.of(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
})();
const grey = (level) => new Picture(new Uint32Array(640 * 480).fill(level * 0x10101), 640, 480);

/** An engine that sees one real face wherever it looks, and notes when it was asked what. */
function engine() {
  const asked = [];
  return {
    asked,
    sees: true,
    detector: {
      async detect() {
        asked.push("detect");
        return [{box, score: 0.9}];
      },
    },
    landmarks: {
      spec: {size: 112, margin: 0.125}, knowsTurned: 0.5,
      async locate(_, matrices) {
        asked.push(`locate ${matrices.length}`);
        return matrices.map(() => ({points, confidence: this.sees === false ? new Float32Array(68) : confidence}));
      },
    },
    expressions: null,
  };
}

test("the detector runs before the first answer, and then after the answers", async () => {
  const made = engine();
  const pipeline = new Pipeline(made, {detectEvery: 3});
  const seen = [];
  for (let k = 0; k < 7; k++) {
    made.asked.length = 0;
    const {faces, detected, timings} = await pipeline.process(grey(100), k / 30);
    const before = made.asked.includes("detect");
    assert.equal(timings.detect > 0, before);
    assert.ok(timings.total >= timings.landmarks);
    made.asked.length = 0;
    const ms = await pipeline.detectLater();
    assert.equal(ms > 0, made.asked.includes("detect"));
    seen.push([faces.map(({id}) => id).join(), before, made.asked.length === 1, detected]);
  }
  const [no, yes] = [false, true];
  assert.deepEqual(seen, [
    ["1", yes, no, yes], ["1", no, no, no], ["1", no, no, no], ["1", no, yes, yes], ["1", no, no, no],
    ["1", no, no, no], ["1", no, yes, yes],
  ]);
});

test("at a cut the detector runs at once, and nobody of before is looked for", async () => {
  const made = engine();
  const pipeline = new Pipeline(made, {detectEvery: 100});
  await pipeline.process(grey(40), 0);
  await pipeline.process(grey(40), 0.1);
  made.asked.length = 0;
  const {detected} = await pipeline.process(grey(200), 0.2);
  assert.ok(detected);
  assert.equal(made.asked[0], "detect");
});

test("detections from before a cut are forgotten", async () => {
  const made = engine();
  const pipeline = new Pipeline(made, {detectEvery: 1});
  for (const time of [0, 0.1]) {
    await pipeline.process(grey(40), time);
    await pipeline.detectLater();
  }
  made.detector.detect = async () => [];
  const {faces} = await pipeline.process(grey(200), 0.2);
  assert.deepEqual(faces, []);
});

test("who is lost is looked for at once, and comes back under the same number", async () => {
  const made = engine();
  const pipeline = new Pipeline(made);
  await pipeline.process(grey(100), 0);
  made.landmarks.sees = false;
  assert.deepEqual((await pipeline.process(grey(100), 0.05)).faces, []);
  made.landmarks.sees = true;
  made.asked.length = 0;
  const {faces} = await pipeline.process(grey(100), 0.1);
  assert.deepEqual([made.asked[0], faces.map(({id}) => id)], ["detect", [1]]);
});

test("after a reset another stream begins, also where its clock begins later", async () => {
  const made = engine();
  const pipeline = new Pipeline(made, {detectEvery: 1});
  await pipeline.process(grey(100), 50);
  await pipeline.process(grey(100), 50.1);
  await pipeline.detectLater();
  pipeline.reset();
  made.asked.length = 0;
  const {faces} = await pipeline.process(grey(100), 0);
  assert.deepEqual([made.asked[0], faces.map(({id}) => id)], ["detect", [2]]);
});

test("options can be changed while a stream runs", async () => {
  const made = engine();
  const pipeline = new Pipeline(made, {smooth: "strong"});
  await pipeline.process(grey(100), 0);
  pipeline.setOptions({smooth: "off", detectEvery: 1, maxFaces: 1});
  await pipeline.process(grey(100), 0.1);
  const {faces} = await pipeline.process(grey(100), 0.2);
  assert.equal(faces[0].points, faces[0].raw);
  assert.throws(() => pipeline.setOptions({smooth: "very"}), /expected one of off/);
  for (const wrong of [0, 1.5, "3", NaN]) {
    assert.throws(() => pipeline.setOptions({maxFaces: wrong}), /maxFaces/);
    assert.throws(() => pipeline.setOptions({detectEvery: wrong}), /detectEvery/);
  }
});

test("null means the usual number of frames from one detection to the next", async () => {
  for (const changed of [false, true]) {
    const made = engine();
    const pipeline = new Pipeline(made, changed ? {detectEvery: 1} : {detectEvery: null});
    if (changed) pipeline.setOptions({detectEvery: null});
    for (let k = 0; k < 16; k++) {
      await pipeline.process(grey(100), k / 30);
      assert.equal((await pipeline.detectLater()) > 0, k === 15);
    }
  }
});

test("a single picture has no memory: two looks at each face, no number", async () => {
  const made = engine();
  const {faces} = await locateFaces(made, grey(100), {});
  assert.deepEqual(made.asked, ["detect", "locate 1", "locate 1"]);
  assert.deepEqual(faces.map(({id}) => id), [null]);
  made.landmarks.sees = false;
  assert.deepEqual((await locateFaces(made, grey(100), {})).faces, []);
});
