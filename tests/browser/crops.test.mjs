import assert from "node:assert/strict";
import test from "node:test";

import {CropFollower} from "../../fkp_live/server/static/engine/crop_follower.js";
import {apply, cropMatrix, invert} from "../../fkp_live/server/static/engine/geometry.js";
import {blocksUnder, canvasTransform, halvingsFor} from "../../fkp_live/server/static/engine/warping.js";
import {golden, near} from "./golden.mjs";

const SPEC = {size: 112, margin: 0.125};
const {boxes, followed} = golden("crops");

test("crop matrices of boxes, turned ones too, and their inverses", () => {
  for (const {box, angle, matrix, inverse} of boxes) {
    near(cropMatrix(box, SPEC, angle), matrix, 1e-6, "matrix");
    near(invert(matrix), inverse, 1e-6, "inverse");
  }
});

test("how often a crop is halved, and the region that is", () => {
  assert.ok(boxes.some(({halvings}) => halvings === 0) && boxes.some(({halvings}) => halvings > 1));
  for (const {matrix, halvings, blocks} of boxes) {
    assert.equal(halvingsFor(matrix), halvings);
    const found = blocksUnder(matrix, SPEC.size, 1280, 720, halvings);
    if (blocks === null) {
      assert.equal(found, null);
      continue;
    }
    const factor = 2 ** halvings;
    const {x, y, columns, rows} = found;
    assert.deepEqual([x, y, x + columns * factor, y + rows * factor], blocks.region);
    near(found.matrix, blocks.matrix, 1e-6, "matrix onto the blocks");
  }
});

test("crops of followed faces stay still inside the dead band, and follow beyond it", () => {
  for (const steps of followed) {
    const follower = new CropFollower(SPEC);
    for (const {points, lead, matrix} of steps) {
      const found = follower.follow(points, lead);
      near([0, 1, 3, 4].map((i) => found[i]), [0, 1, 3, 4].map((i) => matrix[i]), 1e-6, "turn and scale");
      // In crop pixels: Python turns the points with float32 numbers, 1,000 pixels from the origin.
      near(apply(found, points), apply(matrix, points), 1e-3, "where the points lie in the crop");
    }
  }
});

test("a canvas transform puts the centre of each pixel where the matrix puts it", () => {
  const matrix = [0.7, -0.2, 5, 0.2, 0.7, -9];
  const [a, b, c, d, e, f] = canvasTransform(matrix);
  const [x, y] = [31, 77];
  // A canvas counts from the edge of the first pixel, in both pictures.
  const onCanvas = [a * (x + 0.5) + c * (y + 0.5) + e - 0.5, b * (x + 0.5) + d * (y + 0.5) + f - 0.5];
  near(onCanvas, apply(matrix, new Float64Array([x, y])), 1e-5);
});
