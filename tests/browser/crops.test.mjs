import assert from "node:assert/strict";
import test from "node:test";

import {CropFollower} from "../../fkp_live/server/static/engine/crop_follower.js";
import {apply, cropMatrix, invert} from "../../fkp_live/server/static/engine/geometry.js";
import {CanvasPicture} from "../../fkp_live/server/static/engine/picture.js";
import {blocksUnder, halvingsFor} from "../../fkp_live/server/static/engine/warping.js";
import {golden, near} from "./golden.mjs";

const SPEC = {size: 112, margin: 0.125};
const {boxes, followed, warps} = golden("crops");

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

test("crops are those of OpenCV, to the last bit", () => {
  // Python paints the same picture.
  const [width, height] = [320, 240];
  const colour = (x, y) => [(x ^ y) * 5, Math.floor((x * y) / 3), x * 7 + y * 13, 255];
  const getImageData = (left, top, columns, rows) => {
    const data = new Uint8ClampedArray(4 * columns * rows);
    for (let i = 0; i < columns * rows; i++) {
      data.set(colour(left + (i % columns), top + Math.floor(i / columns)).map((value) => value & 255), 4 * i);
    }
    return {data};
  };
  const canvases = {get: () => ({drawImage() {}, getImageData})};
  const picture = new CanvasPicture({width, height}, canvases);
  for (const {matrix, size, crop} of warps) {
    const planes = new Float32Array(3 * size * size + 1).fill(-1);
    picture.cropInto(matrix, size, planes, 1);
    assert.equal(planes[0], -1);
    near(planes.subarray(1), crop, 0, `crop under ${matrix}`);
  }
});
