import assert from "node:assert/strict";
import test from "node:test";

import {against, ExpressionNetwork, probabilities, similarity} from "../../fkp_live/server/static/engine/expression_network.js";
import {FollowedExpressions} from "../../fkp_live/server/static/engine/expressions.js";
import {apply} from "../../fkp_live/server/static/engine/geometry.js";
import {headPose, seenConfidence} from "../../fkp_live/server/static/engine/head_pose.js";
import {frameObject, round} from "../../fkp_live/server/static/engine/frame_object.js";
import {Blinks, openness} from "../../fkp_live/server/static/engine/openness.js";
import {Picture} from "../../fkp_live/server/static/engine/picture.js";
import {Pipeline} from "../../fkp_live/server/static/engine/pipeline.js";
import {LandmarkSmoother} from "../../fkp_live/server/static/engine/smoothing.js";
import {golden, near} from "./golden.mjs";

test("smoothing of a face that rests, moves and pauses, at every level", () => {
  const {times, points, every, levels} = golden("smoothing");
  for (const [level, expected] of Object.entries(levels)) {
    const smoother = new LandmarkSmoother(level);
    let [number, moved] = [0, 0];
    times.forEach((time, k) => {
      const raw = points.subarray(136 * k, 136 * k + 136);
      const found = smoother.smooth(1, raw, time);
      if (k % every !== every - 1) return;
      const right = expected.subarray(136 * number, 136 * number + 136);
      // Both are float32: of 700 pixels the last digit is 6e-5.
      near(found.map((value, i) => value - right[i]), new Float32Array(136), 6.2e-5, level);
      moved += Math.max(...found.map((value, i) => Math.abs(value - raw[i])));
      number += 1;
    });
    assert.ok(moved > 1);
  }
  assert.equal(new LandmarkSmoother("off").smooth(1, points, 0), points);
  assert.throws(() => new LandmarkSmoother("much"), /expected one of off, light, medium, strong/);
});

/** Every number in an object, with its path. */
function numbers(value, path = "") {
  if (typeof value === "number") return [[path, value]];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, each]) => numbers(each, `${path}.${key}`));
}

/** A pipeline whose tracker gives what Python's gave; the stages after it are at trial. */
function following(tracks, eyes) {
  const pipeline = new Pipeline({
    detector: {detect: async () => []},
    landmarks: {spec: {size: 112, margin: 0.125}, knowsTurned: 0.5, locate: async () => []},
    expressions: null,
    eyes,
  });
  pipeline._tracker = {
    tracks, ended: [], plan: () => ({matrices: []}), update: () => tracks, wantsDetection: () => false,
    look: (time) => ({time, isDue: false, isCut: false}),
  };
  return pipeline;
}
const bright = new Picture(new Uint32Array(640 * 480).fill(0xffffff), 640, 480);

test("JSONL objects from the tracker's points: smoothed, measured and rounded as in Python", async () => {
  const {frames} = golden("frames");
  const [tracks, looks] = [[], []];
  let [compared, different, looked] = [0, 0, 0];
  const eyes = {
    async look(_, faces) {
      looked += faces.length;
      return looks;
    },
  };
  const pipeline = following(tracks, eyes);
  for (const [index, {time, id, score, points, confidence, detected, eyes: seen, object}] of frames.entries()) {
    tracks.splice(0, 1, {id, score, points, confidence});
    looks.splice(0, 1, {open: [seen[0], seen[2]], shut: [seen[1], seen[3]]});
    const {faces} = await pipeline.process(bright, time);
    if (!object) continue;
    const found = frameObject(index, time, detected, faces);
    assert.deepEqual(numbers(found).map(([path]) => path), numbers(object).map(([path]) => path));
    const theirs = numbers(object);
    numbers(found).forEach(([path, value], i) => {
      // A number between two roundings may fall to either side.
      const step = /points|raw|box/.test(path) ? 0.01 : /pose/.test(path) ? 1e-4 : 1e-3;
      const off = Math.abs(value - theirs[i][1]);
      assert.ok(off <= step * 1.001, `frame ${index}${path}: ${value}, expected ${theirs[i][1]}`);
      compared += 1;
      if (off > 0) different += 1;
    });
    assert.equal(found.faces[0].measures.blink, object.faces[0].measures.blink);
  }
  assert.ok(compared > 2000 && different < compared / 500, `${different} of ${compared} numbers differ by a rounding`);
  assert.ok(looked > 5 && looked < frames.length, `${looked} looks at the eyes in ${frames.length} frames`);
});

test("without a network of eyes their openness is that of the points", async () => {
  const {frames} = golden("frames");
  const tracks = [];
  const pipeline = following(tracks, null);
  for (const {time, id, score, points, confidence, blink} of frames) {
    tracks.splice(0, 1, {id, score, points, confidence});
    const {faces: [face]} = await pipeline.process(bright, time);
    assert.equal(face.openness.blink, blink);
    near([face.openness.rightEyeOpen], [openness(face.points).rightEyeOpen], 0);
  }
});

test("pose and hidden points of heads that are turned far", () => {
  const {turned} = golden("frames");
  let hidden = 0;
  for (const {points, confidence, seen, pose, knows} of turned) {
    const found = headPose(points);
    near([found.pitch, found.yaw, found.roll, found.pitchSd, found.yawSd, found.rollSd], pose, 1e-9, "pose");
    near(seenConfidence(confidence, found, knows), seen, 1e-6, "confidence");
    hidden += seen.reduce((sum, value, i) => sum + Number(value < confidence[i] - 0.1), 0);
  }
  assert.ok(hidden > 10);
  assert.deepEqual(headPose(new Float32Array(136)), {pitch: 0, yaw: 0, roll: 0, pitchSd: Math.PI / 2, yawSd: Math.PI / 2, rollSd: Math.PI / 2});
});

test("expressions of a series of answers, against what is usual and then a given neutral face", () => {
  const {steps, neutral_at: neutralAt, points, placed} = golden("expressions");
  near(apply(similarity(points), points), placed, 1e-4, "aligned points");
  const followed = new FollowedExpressions(null);
  steps.forEach(({time, logits, placed: there, due, label, probabilities: shares}, k) => {
    assert.equal(followed.isDue(1, time), due);
    if (due) followed.take(1, {logits, placed: there}, time);
    if (k === neutralAt) followed.setNeutral();
    const shown = followed.shown(1);
    assert.equal(shown.label, label);
    near(shown.probabilities, shares, 1e-5, `step ${k}`);
  });
  assert.ok(new Set(steps.map(({label}) => label)).size > 2);
  near([probabilities([0, 0, 0, 0]).reduce((sum, share) => sum + share)], [1], 1e-12);
  const same = {logits: new Float32Array(7), placed};
  assert.ok(against(same, same).every(Number.isFinite));
});

test("numbers are rounded as Python rounds them", () => {
  const found = [0.0625, 0.1875, 2.675, 0.0005, 1.0005, 0.5, 1e-9].map((value) => round(value, 3));
  assert.deepEqual(found, [0.062, 0.188, 2.675, 0.001, 1, 0.5, 0]);
  assert.deepEqual([round(NaN, 3), round(Infinity, 3)], [null, null]);
});

test("blinks by what is usual for the face, and of a head that turns away", () => {
  const {blinks} = golden("frames");
  const found = new Blinks();
  blinks.forEach(([eyesOpen, yaw, time, shut], k) => {
    assert.equal(found.see(1, {eyesOpen, blink: false, isByPoints: true}, yaw, time), shut, `frame ${k}`);
  });
  assert.ok(new Set(blinks.map(([, , , shut]) => shut)).size === 2);
});

test("the mirror image of a crop and its points goes with it, and the answer is the mean", async () => {
  const {points} = golden("expressions");
  let given = null;
  const network = new ExpressionNetwork({
    async run(inputs) {
      given = inputs;
      return {logits: Float32Array.from({length: 14}, (_, i) => i)};
    },
  });
  const pixels = Uint32Array.from({length: 1280 * 720}, (_, i) => (i * 2654435761) >>> 8);
  const [answer] = await network.look(new Picture(pixels, 1280, 720), [points], true);
  const [[crops, [count, , , size]], [places]] = [given.image, given.points];
  assert.equal(count, 2);
  const half = crops.length / 2;
  for (let i = 0; i < half; i++) {
    const [row, column] = [Math.floor(i / size), i % size];
    assert.equal(crops[half + i], crops[row * size + size - 1 - column]);
  }
  // The right corner of the mouth is where the left one was, from the other side.
  near([places[136 + 2 * 48], places[136 + 2 * 48 + 1]], [size - 1 - places[2 * 54], places[2 * 54 + 1]], 1e-4);
  assert.deepEqual([...answer.logits], [3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]);
});
