/** Crops without aliasing, as fkp_live/images/warping.py: which region is halved, and how often, before the warp. */

import {warp} from "./constants.js";
import {invert, scaleOf} from "./geometry.js";

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
 * The arguments of setTransform with which drawImage does what cv2.warpAffine does: a canvas counts from the edge of
 * the first pixel and not from its centre.
 *
 * @param {import("./geometry.js").Matrix} matrix
 * @returns {[number, number, number, number, number, number]}
 */
export const canvasTransform = ([a, b, x, c, d, y]) => [a, c, b, d, x - (a + b) / 2 + 0.5, y - (c + d) / 2 + 0.5];
