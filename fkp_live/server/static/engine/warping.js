/**
 * Crops without aliasing, as fkp_live/images/warping.py and OpenCV below it, to the last bit.
 *
 * A canvas could draw them too, but browsers differ in how they interpolate: Chromium's crops were up to 9 grey levels
 * off, half a level darker in the mean, and took as long.
 */

import {warp} from "./constants.js";
import {invert, roundHalfEven, scaleOf} from "./geometry.js";

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
 * @param {Uint32Array} pixels RGBA, one number a pixel, both sides even
 * @param {number} width in pixels
 * @returns {Uint32Array} of half the width and height
 */
export function halved(pixels, width) {
  const [columns, rows] = [width / 2, pixels.length / width / 2];
  const half = new Uint32Array(columns * rows);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let from = 2 * row * width; to < (row + 1) * columns; to++, from += 2) {
      const [p, q, r, s] = [pixels[from], pixels[from + 1], pixels[from + width], pixels[from + width + 1]];
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
 * @param {Uint32Array} pixels RGBA of a region of the picture, one number a pixel
 * @param {{x: number, y: number, width: number, height: number}} region where that lies
 * @param {import("./geometry.js").Matrix} matrix from pixels of the picture to the crop
 * @param {number} size side of the crop
 * @param {Float32Array} planes gets blue, green and red of the crop, a plane each, from `start` on
 * @param {number} start
 */
export function warpInto(pixels, {x: left, y: top, width, height}, matrix, size, planes, start) {
  const [a, b, x, c, d, y] = invert(matrix);
  const across = Int32Array.from({length: size}, (_, u) => roundHalfEven(a * u * UNIT));
  const down = Int32Array.from({length: size}, (_, u) => roundHalfEven(c * u * UNIT));
  const [blue, green, red] = [start, start + size * size, start + 2 * size * size];
  for (let v = 0, to = 0; v < size; v++) {
    const rowX = roundHalfEven((b * v + x) * UNIT) + 16 - left * UNIT;
    const rowY = roundHalfEven((d * v + y) * UNIT) + 16 - top * UNIT;
    for (let u = 0; u < size; u++, to++) {
      const [sourceX, sourceY] = [(rowX + across[u]) >> 5, (rowY + down[u]) >> 5];
      const [column, row, fx, fy] = [sourceX >> 5, sourceY >> 5, sourceX & 31, sourceY & 31];
      const from = row * width + column;
      let [p, q, r, s] = [0, 0, 0, 0];
      if (column >= 0 && row >= 0 && column < width - 1 && row < height - 1) {
        [p, q, r, s] = [pixels[from], pixels[from + 1], pixels[from + width], pixels[from + width + 1]];
      } else {
        const isIn = (i, j) => i >= 0 && j >= 0 && i < width && j < height;
        if (isIn(column, row)) p = pixels[from];
        if (isIn(column + 1, row)) q = pixels[from + 1];
        if (isIn(column, row + 1)) r = pixels[from + width];
        if (isIn(column + 1, row + 1)) s = pixels[from + width + 1];
      }
      const [wp, wq, wr, ws] = [(32 - fx) * (32 - fy), fx * (32 - fy), (32 - fx) * fy, fx * fy];
      planes[red + to] = ((p & 255) * wp + (q & 255) * wq + (r & 255) * wr + (s & 255) * ws + 512) >> 10;
      planes[green + to] =
        (((p >> 8) & 255) * wp + ((q >> 8) & 255) * wq + ((r >> 8) & 255) * wr + ((s >> 8) & 255) * ws + 512) >> 10;
      planes[blue + to] =
        (((p >> 16) & 255) * wp + ((q >> 16) & 255) * wq + ((r >> 16) & 255) * wr + ((s >> 16) & 255) * ws + 512) >> 10;
    }
  }
}
// OpenCV's fixed-point numbers: parts of a pixel.
const UNIT = 1024;
