/**
 * Crops without aliasing, as fkp_live/images/warping.py and OpenCV below it, to the last bit.
 *
 * A canvas could draw them too, but browsers differ in how they interpolate: Chromium's crops were up to 9 grey levels
 * off, and half a level darker in the mean.
 */

import {warp} from "./constants.js";
import {invert, roundHalfEven, scaleOf} from "./geometry.js";

/** @typedef {{pixels: Uint32Array, width: number, height: number}} Pixels RGBA, red in the lowest byte */

/** @param {import("./geometry.js").Matrix} matrix @returns {number} how often a picture is halved before the warp */
export function halvingsFor(matrix) {
  const scale = Math.max(scaleOf(matrix), 1e-6);
  return scale >= warp.shrinkBelow ? 0 : Math.ceil(Math.log2(warp.shrinkBelow / scale));
}

/**
 * The region that a crop needs, in whole blocks to be averaged, and the affine from the averages to the crop.
 *
 * @param {import("./geometry.js").Matrix} matrix
 * @param {number} size side of the crop
 * @param {number} width of the picture
 * @param {number} height of the picture
 * @param {number} halvings blocks are 2 ** halvings pixels wide
 * @returns {{x: number, y: number, columns: number, rows: number, matrix: import("./geometry.js").Matrix} | null}
 *   corner in pixels, blocks along both sides; null where no whole block lies in the picture
 */
export function blocksUnder(matrix, size, width, height, halvings) {
  const factor = 2 ** halvings;
  const [a, b, x, c, d, y] = invert(matrix);
  const left = x + size * (Math.min(a, 0) + Math.min(b, 0));
  const right = x + size * (Math.max(a, 0) + Math.max(b, 0));
  const top = y + size * (Math.min(c, 0) + Math.min(d, 0));
  const bottom = y + size * (Math.max(c, 0) + Math.max(d, 0));
  const x0 = Math.max(Math.floor(left) - factor, 0);
  const y0 = Math.max(Math.floor(top) - factor, 0);
  const columns = Math.floor((Math.min(Math.ceil(right) + factor, width) - x0) / factor);
  const rows = Math.floor((Math.min(Math.ceil(bottom) + factor, height) - y0) / factor);
  if (columns < 1 || rows < 1) return null;
  const [e, f, u, g, h, v] = matrix;
  // Shrunk pixel k sits at x0 + (k + 0.5) * factor - 0.5 of the frame.
  const [p, q] = [x0 + (factor - 1) / 2, y0 + (factor - 1) / 2];
  const onto = [factor * e, factor * f, e * p + f * q + u, factor * g, factor * h, g * p + h * q + v];
  return {x: x0, y: y0, columns, rows, matrix: onto};
}

/**
 * Averages of blocks of 2 x 2 pixels, as cv2.resize with INTER_AREA gives them.
 *
 * @param {Pixels} picture
 * @param {number} x column of the first block
 * @param {number} y row of the first block
 * @param {number} columns blocks
 * @param {number} rows blocks; all of them lie in the picture
 * @returns {Uint32Array} RGBA
 */
export function halved({pixels, width}, x, y, columns, rows) {
  const half = new Uint32Array(columns * rows);
  // Plain variables: here and below the loops run for every pixel, and lists in them would cost three times as much.
  for (let row = 0, to = 0; row < rows; row++) {
    let upper = (y + 2 * row) * width + x;
    let lower = upper + width;
    for (let column = 0; column < columns; column++, to++, upper += 2, lower += 2) {
      const p = pixels[upper] | 0;
      const q = pixels[upper + 1] | 0;
      const r = pixels[lower] | 0;
      const s = pixels[lower + 1] | 0;
      // Two channels of each pixel at once, 16 bits apart; 2 rounds to the nearest.
      const even = (p & EVEN) + (q & EVEN) + (r & EVEN) + (s & EVEN) + 0x20002;
      const odd = ((p >>> 8) & EVEN) + ((q >>> 8) & EVEN) + ((r >>> 8) & EVEN) + ((s >>> 8) & EVEN) + 0x20002;
      half[to] = ((even >>> 2) & EVEN) | (((odd >>> 2) & EVEN) << 8);
    }
  }
  return half;
}
const EVEN = 0xff00ff;

/**
 * A bilinear warp, as cv2.warpAffine does it: sources in steps of a 32nd pixel, black beyond the picture.
 *
 * @param {Pixels} picture
 * @param {import("./geometry.js").Matrix} matrix
 * @param {number} size side of the crop
 * @param {Float32Array} planes gets blue, green and red of the crop, a plane each, from `start` on
 * @param {number} start
 */
export function warpInto({pixels, width, height}, matrix, size, planes, start) {
  const [a, b, x, c, d, y] = invert(matrix);
  const across = Int32Array.from({length: size}, (_, u) => roundHalfEven(a * u * UNIT));
  const down = Int32Array.from({length: size}, (_, u) => roundHalfEven(c * u * UNIT));
  const green = size * size;
  const red = 2 * green;
  let to = start;
  for (let v = 0; v < size; v++) {
    const rowX = roundHalfEven((b * v + x) * UNIT) + 16;
    const rowY = roundHalfEven((d * v + y) * UNIT) + 16;
    for (let u = 0; u < size; u++, to++) {
      const sourceX = (rowX + across[u]) >> 5;
      const sourceY = (rowY + down[u]) >> 5;
      const column = sourceX >> 5;
      const row = sourceY >> 5;
      const from = row * width + column;
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      if (column >= 0 && row >= 0 && column < width - 1 && row < height - 1) {
        p = pixels[from] | 0;
        q = pixels[from + 1] | 0;
        r = pixels[from + width] | 0;
        s = pixels[from + width + 1] | 0;
      } else {
        const hasLeft = column >= 0 && column < width;
        const hasRight = column >= -1 && column < width - 1;
        if (row >= 0 && row < height) {
          if (hasLeft) p = pixels[from] | 0;
          if (hasRight) q = pixels[from + 1] | 0;
        }
        if (row >= -1 && row < height - 1) {
          if (hasLeft) r = pixels[from + width] | 0;
          if (hasRight) s = pixels[from + width + 1] | 0;
        }
      }
      const fx = sourceX & 31;
      const fy = sourceY & 31;
      const ws = fx * fy;
      const wq = (fx << 5) - ws;
      const wr = (fy << 5) - ws;
      const wp = 1024 - wq - wr - ws;
      planes[to] =
        (((p >> 16) & 255) * wp + ((q >> 16) & 255) * wq + ((r >> 16) & 255) * wr + ((s >> 16) & 255) * ws + 512) >> 10;
      planes[to + green] =
        (((p >> 8) & 255) * wp + ((q >> 8) & 255) * wq + ((r >> 8) & 255) * wr + ((s >> 8) & 255) * ws + 512) >> 10;
      planes[to + red] = ((p & 255) * wp + (q & 255) * wq + (r & 255) * wr + (s & 255) * ws + 512) >> 10;
    }
  }
}
// OpenCV's fixed-point numbers: parts of a pixel.
const UNIT = 1024;

/**
 * A bilinear patch of green, which stands for luma, as cv2.warpAffine does it; beyond the picture its border is repeated.
 *
 * @param {Pixels} picture
 * @param {import("./geometry.js").Matrix} affine from pixels of the patch to those of the picture
 * @param {number} columns of the patch
 * @param {number} rows of the patch
 * @param {Float32Array} plane gets the patch, from `start` on
 * @param {number} start
 */
export function lumaInto({pixels, width, height}, [a, b, x, c, d, y], columns, rows, plane, start) {
  const across = Int32Array.from({length: columns}, (_, u) => roundHalfEven(a * u * UNIT));
  const down = Int32Array.from({length: columns}, (_, u) => roundHalfEven(c * u * UNIT));
  let to = start;
  for (let v = 0; v < rows; v++) {
    const rowX = roundHalfEven((b * v + x) * UNIT) + 16;
    const rowY = roundHalfEven((d * v + y) * UNIT) + 16;
    for (let u = 0; u < columns; u++, to++) {
      const sourceX = (rowX + across[u]) >> 5;
      const sourceY = (rowY + down[u]) >> 5;
      const left = Math.min(Math.max(sourceX >> 5, 0), width - 1);
      const right = Math.min(Math.max((sourceX >> 5) + 1, 0), width - 1);
      const upper = Math.min(Math.max(sourceY >> 5, 0), height - 1) * width;
      const lower = Math.min(Math.max((sourceY >> 5) + 1, 0), height - 1) * width;
      const fx = sourceX & 31;
      const fy = sourceY & 31;
      const above = ((pixels[upper + left] >> 8) & 255) * (32 - fx) + ((pixels[upper + right] >> 8) & 255) * fx;
      const below = ((pixels[lower + left] >> 8) & 255) * (32 - fx) + ((pixels[lower + right] >> 8) & 255) * fx;
      plane[to] = (above * (32 - fy) + below * fy + 512) >> 10;
    }
  }
}

/**
 * A bilinear copy of a region at another size, as cv2.resize with INTER_LINEAR gives it, rounding included.
 *
 * @param {Pixels} picture
 * @param {[number, number, number, number]} region x0, y0, x1, y1 in whole pixels
 * @param {number} columns of the copy
 * @param {number} rows of the copy
 * @param {Float32Array} planes gets blue, green and red, a plane each; the copy lies in the upper left corner
 * @param {number} planeWidth
 * @param {number} planeHeight
 */
export function resizeInto({pixels, width}, [x0, y0, x1, y1], columns, rows, planes, planeWidth, planeHeight) {
  const [left, right, across] = sources(x0, x1, columns);
  const [top, bottom, down] = sources(y0, y1, rows);
  for (let channel = 0, plane = 0; channel < 3; channel++, plane += planeWidth * planeHeight) {
    const shift = 16 - 8 * channel;
    for (let v = 0; v < rows; v++) {
      const upper = top[v] * width;
      const lower = bottom[v] * width;
      const fy = down[v];
      let to = plane + v * planeWidth;
      for (let u = 0; u < columns; u++, to++) {
        const fx = across[u];
        const above =
          ((pixels[upper + left[u]] >> shift) & 255) * (PARTS - fx) + ((pixels[upper + right[u]] >> shift) & 255) * fx;
        const below =
          ((pixels[lower + left[u]] >> shift) & 255) * (PARTS - fx) + ((pixels[lower + right[u]] >> shift) & 255) * fx;
        planes[to] = ((((PARTS - fy) * (above >> 4)) >> 16) + ((fy * (below >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
}
// OpenCV's fixed-point numbers for this: parts of the distance of two pixels.
const PARTS = 2048;

/** For each pixel of a copy of start to end: the two pixels that it lies between, and how far, in `PARTS`. */
function sources(start, end, count) {
  const [before, after, part] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  for (let i = 0; i < count; i++) {
    const at = Math.min(Math.max(Math.fround(((i + 0.5) * (end - start)) / count - 0.5), 0), end - start - 1);
    before[i] = start + Math.floor(at);
    after[i] = Math.min(before[i] + 1, end - 1);
    part[i] = roundHalfEven(Math.fround(at - Math.floor(at)) * PARTS);
  }
  return [before, after, part];
}
