import assert from "node:assert/strict";
import test from "node:test";

import {decode as decodeBoxes, landmarkBox, suppressed} from "../../fkp_live/server/static/engine/detector.js";
import {decode as decodePoints} from "../../fkp_live/server/static/engine/landmarks.js";
import {golden, near} from "./golden.mjs";

const {detections, landmarks} = golden("networks");

test("boxes from raw outputs of the detector", () => {
  for (const {view, input, scores, boxes, found} of detections) {
    const [x0, y0, x1, y1, width, height] = view;
    const whole = {
      region: [x0, y0, x1, y1], size: [width, height],
      centres: [-Infinity, -Infinity, Infinity, Infinity], largest: Infinity,
    };
    const decoded = decodeBoxes(scores, boxes, ...input, whole);
    assert.ok(decoded.length > found.length, "none of them overlap");
    const kept = suppressed(decoded);
    assert.equal(kept.length, found.length);
    kept.forEach(({box, score}, i) => near([...landmarkBox(box), score], found[i], 1e-3, "box and score"));
  }
  assert.deepEqual(detections.map(({found}) => found.length), [1, 2]);
});

test("a view answers for the boxes whose centre and size are its own", () => {
  const {input, scores, boxes} = detections[1];
  const view = (centres, largest) => ({region: [0, 0, 320, 120], size: [224, 84], centres, largest});
  const found = (...limits) => suppressed(decodeBoxes(scores, boxes, ...input, view(...limits))).length;
  assert.equal(found([-Infinity, -Infinity, 160, Infinity], Infinity), 1);
  assert.equal(found([-Infinity, -Infinity, Infinity, Infinity], 10), 0);
});

test("points from raw outputs of the landmark network", () => {
  const {matrices, points, confidence, found} = landmarks;
  const decoded = decodePoints(points, confidence, matrices);
  assert.equal(decoded.length, matrices.length);
  decoded.forEach((face, i) => {
    near(face.points, found.subarray(136 * i, 136 * i + 136), 1e-3, "points");
    near(face.confidence, confidence.subarray(68 * i, 68 * i + 68), 0, "confidence");
  });
});
