/** What faces show, by a network on aligned crops and points, as fkp_live/faces/expression.py. */

import {expressions as constants, hidden, models} from "./constants.js";
import {apply, invert, roundHalfEven, scaleOf} from "./geometry.js";

const facts = models["fkp-expression"];
const template = facts.template.flat();

/** @typedef {{logits: Float32Array, placed: Float32Array}} Answer of the network, and points in pixels of the crop */

/** The shipped network of expressions. */
export class ExpressionNetwork {
  /** @param {import("./networks.js").Network} network */
  constructor(network) {
    this._network = network;
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {Float32Array[]} faces points of each
   * @param {boolean} isMirrored whether to give the mean with the answers for the mirror images, at twice the time
   * @returns {Promise<Answer[]>}
   */
  async look(picture, faces, isMirrored = false) {
    if (faces.length === 0) return [];
    const {size} = facts;
    const one = 3 * size * size;
    const [count, looks] = [faces.length, isMirrored ? 2 : 1];
    const crops = new Float32Array(looks * count * one);
    const places = new Float32Array(looks * count * 136);
    faces.forEach((points, i) => {
      const matrix = similarity(points);
      alignedInto(picture, matrix, size, crops.subarray(i * one, (i + 1) * one));
      places.set(apply(matrix, points), 136 * i);
    });
    if (isMirrored) mirror(crops, places, count * one, count * 136, size);
    const outputs = await this._network.run({
      [facts.input]: [crops, [looks * count, 3, size, size]],
      [facts.points]: [places, [looks * count, 68, 2]],
    });
    const logits = outputs[facts.logits];
    const classes = facts.neutral.length;
    return faces.map((_, i) => {
      const own = logits.slice(classes * i, classes * (i + 1));
      const other = classes * (count + i);
      return {
        logits: isMirrored ? own.map((logit, k) => (logit + logits[other + k]) / 2) : own,
        placed: places.slice(136 * i, 136 * i + 136),
      };
    });
  }
}

/** Fill the second halves of crops and places with the mirror images of the first. */
function mirror(crops, places, fromCrop, fromPlace, size) {
  for (let row = 0; row < fromCrop; row += size) {
    crops.set(crops.slice(row, row + size).reverse(), fromCrop + row);
  }
  for (let face = 0; face < fromPlace; face += 136) {
    hidden.mirror.forEach((twin, i) => {
      places[fromPlace + face + 2 * i] = size - 1 - places[face + 2 * twin];
      places[fromPlace + face + 2 * i + 1] = places[face + 2 * twin + 1];
    });
  }
}

/** @param {Float32Array} points @returns {import("./geometry.js").Matrix} that brings them nearest to the template */
export function similarity(points) {
  const [here, there] = [middleOf(points), middleOf(template)];
  let [size, cos, sin] = [0, 0, 0];
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i] - here[0], points[i + 1] - here[1]];
    const [u, v] = [template[i] - there[0], template[i + 1] - there[1]];
    size += x * x + y * y;
    cos += x * u + y * v;
    sin += x * v - y * u;
  }
  size = Math.max(size, 1e-9);
  cos /= size;
  sin /= size;
  const shift = [there[0] - cos * here[0] + sin * here[1], there[1] - sin * here[0] - cos * here[1]];
  return [cos, -sin, shift[0], sin, cos, shift[1]];
}

/** The crop under a similarity as planes; beyond the picture its border is repeated. */
export function alignedInto(picture, matrix, size, planes) {
  const {width, height} = picture;
  picture.cropInto(matrix, size, planes, 0);
  const [a, b, x, c, d, y] = invert(matrix);
  const last = size - 1;
  const [left, right] = [x + last * (Math.min(a, 0) + Math.min(b, 0)), x + last * (Math.max(a, 0) + Math.max(b, 0))];
  const [top, bottom] = [y + last * (Math.min(c, 0) + Math.min(d, 0)), y + last * (Math.max(c, 0) + Math.max(d, 0))];
  if (left >= 0 && top >= 0 && right <= width - 1 && bottom <= height - 1) return;
  // Each pixel that lies beyond takes the one where the nearest pixel of the picture is, a pixel of the crop inside the
  // border, because the outermost are mixed with what lies beyond.
  const inset = Math.min(1 / Math.max(scaleOf(matrix), 1e-6), (width - 1) / 2, (height - 1) / 2);
  const clip = (value, least, most) => Math.min(Math.max(value, least), most);
  const [e, f, u, g, h, v] = matrix;
  const source = planes.slice();
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const seenX = clip(a * column + b * row + x, inset, width - 1 - inset);
      const seenY = clip(c * column + d * row + y, inset, height - 1 - inset);
      const fromColumn = clip(roundHalfEven(e * seenX + f * seenY + u), 0, last);
      const fromRow = clip(roundHalfEven(g * seenX + h * seenY + v), 0, last);
      for (let plane = 0; plane < planes.length; plane += size * size) {
        planes[plane + row * size + column] = source[plane + fromRow * size + fromColumn];
      }
    }
  }
}

/** @returns {[number, number]} mean of points */
function middleOf(points) {
  const sum = [0, 0];
  points.forEach((value, i) => (sum[i % 2] += value));
  return [(2 * sum[0]) / points.length, (2 * sum[1]) / points.length];
}

/** @param {ArrayLike<number>} logits @returns {number[]} softmax */
export function probabilities(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** @param {Answer} answer @param {Answer} neutral of the same person @returns {number[]} logits against it */
export function against(answer, neutral) {
  const difference = Array.from(answer.placed, (value, i) => value - neutral.placed[i]);
  const [l, r] = constants.outerCorners;
  const eyes = Math.hypot(template[2 * l] - template[2 * r], template[2 * l + 1] - template[2 * r + 1]);
  let apart = 0;
  for (const i of constants.still) apart += Math.hypot(difference[2 * i], difference[2 * i + 1]) / eyes;
  apart /= constants.still.length;
  const {other, same, differenceShare, givenShare} = constants;
  const weight = differenceShare * Math.min(Math.max((other - apart) / (other - same), 0), 1);
  return Array.from(answer.logits, (logit, k) => {
    const moved = facts.weights[k].reduce((sum, value, i) => sum + value * difference[i], facts.bias[k]);
    return logit - givenShare * (neutral.logits[k] - facts.neutral[k]) + weight * moved;
  });
}
