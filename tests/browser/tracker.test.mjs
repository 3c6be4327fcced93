import assert from "node:assert/strict";
import test from "node:test";

import {assign} from "../../fkp_live/server/static/engine/assignment.js";
import {pose} from "../../fkp_live/server/static/engine/constants.js";
import {apply} from "../../fkp_live/server/static/engine/geometry.js";
import {Tracker} from "../../fkp_live/server/static/engine/tracker.js";
import {golden, near} from "./golden.mjs";

const SPEC = {size: 112, margin: 0.125};

/** Replay detections and landmarks; checks ids, plans and crops of every frame. `landmarksOf` gives those of a frame. */
function replay({size: [width, height], max_faces: maxFaces, point_step: step, frames}, landmarksOf) {
  const tracker = new Tracker(SPEC, {maxFaces});
  frames.forEach((frame, k) => {
    const {time, cut = false, detections, matrices, crops, ids, ended} = frame;
    const {isDue} = tracker.look(time, cut);
    assert.equal(isDue, detections !== null, `frame ${k}: whether a detection is due`);
    const found = detections?.map((numbers) => ({
      box: Float32Array.from(numbers.slice(0, 4), (side) => side * step),
      score: numbers[4],
    }));
    const plan = tracker.plan({width, height}, found ?? null);
    assert.equal(plan.matrices.length, crops, `frame ${k}: crops`);
    matrices?.forEach((matrix, i) => {
      const corners = new Float32Array([0, 0, width, height]);
      near(apply(plan.matrices[i], corners), apply(matrix, corners), 0.02, `frame ${k}: crop ${i}`);
    });
    const tracks = tracker.update(plan, landmarksOf(frame));
    assert.deepEqual(tracks.map(({id}) => id), ids, `frame ${k}: ids`);
    assert.deepEqual(tracker.ended, ended, `frame ${k}: ended`);
  });
  return frames;
}

test("ids, plans and crops of 300 frames of a group", () => {
  const film = golden("tracking");
  const {points, point_step: step, confidence_step: share} = film;
  const before = [];
  let crop = 0;
  const frames = replay(film, ({steps}) => steps.map((confidence, i) => {
    before[i] = points.subarray(136 * crop, 136 * crop + 136).map((each, j) => each + (before[i]?.[j] ?? 0));
    crop += 1;
    return {
      points: Float32Array.from(before[i], (each) => each * step),
      confidence: new Float32Array(68).fill(confidence * Math.fround(share)),
    };
  }));
  assert.equal(frames.length, 300);
  assert.ok(Math.max(...frames.map(({ids}) => ids.length)) > 4);
});

/** Points of a made-up face, as Python places them: in eighths of a pixel. */
function placed([x, y, side, roll]) {
  const [c, s] = [side * 2.2 * Math.cos(roll), side * 2.2 * Math.sin(roll)];
  return Float32Array.from(pose.mean, (value, i) => {
    const at = i % 2 ? pose.mean[i - 1] * s + value * c + y : value * c - pose.mean[i + 1] * s + x;
    return Math.floor(at * 8 + 0.5) / 8;
  });
}

test("faces that cross, turn, grow, leave, are missed and lost, cuts, and a clock that begins anew", () => {
  const frames = replay(golden("script"), ({faces}) =>
    faces.map((face) => ({points: placed(face), confidence: new Float32Array(68).fill(face[4])})),
  );
  assert.ok(frames.filter(({ended}) => ended.length > 0).length > 20);
  assert.ok(frames.some(({ids}) => ids.length === 4));
});

test("detections of an earlier frame are matched with where the faces were then", () => {
  const tracker = new Tracker(SPEC);
  const square = (x) => Float32Array.of(x, 100, x + 60, 160);
  const face = (x) => ({
    points: Float32Array.from({length: 136}, (_, i) => (i % 2 ? 100 + (60 * ((i - 1) / 2)) / 67 : x + (60 * (i / 2)) / 67)),
    confidence: new Float32Array(68).fill(0.9),
  });
  // By 30 pixels a frame: a second later it would be far from where the detector saw it.
  for (let k = 0; k < 10; k++) {
    tracker.look(k / 30, false);
    const plan = tracker.plan({width: 1280, height: 720}, k === 0 ? [{box: square(100), score: 0.9}] : null);
    assert.deepEqual(tracker.update(plan, [face(100 + 30 * k)]).map(({id}) => id), [1]);
  }
  tracker.look(10 / 30, false);
  const seen = {time: 7 / 30, frames: 3};
  const plan = tracker.plan({width: 1280, height: 720}, [{box: square(100 + 30 * 7), score: 0.9}], seen);
  assert.deepEqual(plan.targets.map(({track}) => track?.id), [1]);
});

test("a detection is wanted after a loss, and as often as was asked for", () => {
  const tracker = new Tracker(SPEC, {detectEvery: 4});
  const landmark = {
    points: Float32Array.from({length: 136}, (_, i) => 100 + (i * 7) % 60),
    confidence: new Float32Array(68).fill(0.9),
  };
  const wanted = [];
  for (let k = 0; k < 9; k++) {
    tracker.look(k / 30, false);
    const detections = k === 0 || wanted[k - 1] ? [{box: Float32Array.of(100, 100, 160, 160), score: 0.9}] : null;
    const seen = wanted[k - 1] ? {time: (k - 1) / 30, frames: 1} : undefined;
    const plan = tracker.plan({width: 640, height: 480}, detections, seen);
    tracker.update(plan, plan.matrices.map(() => landmark));
    wanted.push(tracker.wantsDetection());
  }
  assert.deepEqual(wanted.map(Number), [0, 0, 0, 0, 1, 0, 0, 0, 1]);
  tracker.look(9 / 30, false);
  const plan = tracker.plan({width: 640, height: 480}, null);
  tracker.update(plan, [{...landmark, confidence: new Float32Array(68)}]);
  assert.ok(tracker.wantsDetection());
});

test("the cheapest assignment, as many pairs as possible first", () => {
  const [no, pairs] = [Infinity, (costs) => [...assign(costs)].sort((a, b) => a[0] - b[0])];
  assert.deepEqual(pairs([[1, 2], [1, no]]), [[0, 1], [1, 0]]);
  assert.deepEqual(pairs([[1], [0.5], [2]]), [[1, 0]]);
  assert.deepEqual(pairs([[3, 1, 2], [1, 1, 3]]), [[0, 1], [1, 0]]);
  assert.deepEqual(pairs([[no, no]]), []);
  assert.deepEqual(pairs([]), []);
});
