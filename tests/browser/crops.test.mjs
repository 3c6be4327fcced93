import assert from "node:assert/strict";
import test from "node:test";

import {CropFollower} from "../../fkp_live/server/static/engine/crop_follower.js";
import {alignedInto} from "../../fkp_live/server/static/engine/expression_network.js";
import {apply, cropMatrix, invert} from "../../fkp_live/server/static/engine/geometry.js";
import {eyeAffines, patchInto} from "../../fkp_live/server/static/engine/eyes.js";
import {brightened, levelOf, LowLight} from "../../fkp_live/server/static/engine/low_light.js";
import {Picture} from "../../fkp_live/server/static/engine/picture.js";
import {blocksUnder, halvingsFor} from "../../fkp_live/server/static/engine/warping.js";
import {golden, near} from "./golden.mjs";

const SPEC = {size: 112, margin: 0.125};
const {aligned, boxes, copies, dark, eyes, followed, warps} = golden("crops");

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

/** The picture that Python paints, with `share` per cent of its brightness. */
function painted(share = 100) {
  const [width, height] = [320, 240];
  const pixels = new Uint8Array(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    pixels.set([(x ^ y) * 5, Math.floor((x * y) / 3), x * 7 + y * 13, 255].map((value) => Math.floor(((value & 255) * share) / 100)), 4 * i);
  }
  return new Picture(new Uint32Array(pixels.buffer), width, height);
}

test("crops are those of OpenCV, to the last bit", () => {
  const picture = painted();
  for (const {matrix, size, crop} of warps) {
    const planes = new Float32Array(3 * size * size + 1).fill(-1);
    picture.cropInto(matrix, size, planes, 1);
    assert.equal(planes[0], -1);
    near(planes.subarray(1), crop, 0, `crop under ${matrix}`);
  }
});

test("reduced copies are those of OpenCV, and padded with black", () => {
  const picture = painted();
  for (const {region, size: [width, height], copy} of copies) {
    const planes = picture.reduced(region, width, height, width + 3, height + 2);
    const at = (plane, row, column) => planes[(plane * (height + 2) + row) * (width + 3) + column];
    for (let plane = 0; plane < 3; plane++) {
      for (let row = 0; row < height; row++) {
        const found = Array.from({length: width}, (_, column) => at(plane, row, column));
        const from = (plane * height + row) * width;
        // Enlarged, a pixel in a hundred is one grey level off.
        near(found, copy.subarray(from, from + width), width > region[2] - region[0] ? 1 : 0, "row");
        assert.equal(at(plane, row, width), 0);
      }
      assert.equal(at(plane, height + 1, 0), 0);
    }
  }
});

test("a copy at a tenth of the size shows what lies between the pixels that it takes", () => {
  // Stripes of one pixel are grey from afar; a bilinear copy alone would see some of them and not the others.
  const pixels = Uint32Array.from({length: 640 * 640}, (_, i) => (i % 2 ? 0xffffff : 0));
  const planes = new Picture(pixels, 640, 640).reduced([0, 0, 640, 640], 61, 61, 61, 61);
  assert.ok(planes.every((value) => value >= 120 && value <= 136));
});

test("dark pictures are stretched and blurred as in Python", () => {
  for (const {share, level, matrix, size, crop, copy_size: [width, height], copy} of dark.pictures) {
    const picture = painted(share);
    near([levelOf(picture)], [level], 0);
    const planes = new Float32Array(3 * size * size + 2);
    brightened(picture).cropInto(matrix, size, planes, 2);
    near(planes.subarray(2), crop, 0, "crop");
    const reduced = brightened(picture).reduced([0, 0, 320, 240], width, height, width, height);
    near(reduced, copy, 0, "copy");
  }
  const bright = painted();
  assert.equal(brightened(bright), bright);
});

test("a stream is stretched from when it is dark until it is bright again", () => {
  const lowLight = new LowLight();
  for (const [grey, level] of dark.levels) {
    const picture = new Picture(new Uint32Array(64 * 48).fill(grey * 0x10101), 64, 48);
    let seen = null;
    for (let k = 0; k < 4; k++) seen = lowLight.see(picture);
    if (level === null) assert.equal(seen, picture);
    else near([lowLight._level], [level], 1e-9);
  }
});

test("crops for expressions repeat the picture's border", () => {
  for (const {matrix, size, crop} of aligned) {
    const planes = new Float32Array(3 * size * size);
    alignedInto(painted(), matrix, size, planes);
    near(planes, crop, 0, "crop");
  }
});

test("patches of eyes are those of OpenCV, to the last bit", () => {
  const picture = painted();
  for (const {points, patches} of eyes) {
    const found = new Float32Array(patches.length);
    eyeAffines(points).forEach((affine, i) => patchInto(picture, affine, found, (i * patches.length) / 2));
    near(found, patches, 0, "patches");
  }
});
