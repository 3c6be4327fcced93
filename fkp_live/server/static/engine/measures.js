/** Measures of a face, raw and relative to what is usual, as front_view.py, measures.py and followed_measures.py. */

import {measures as constants} from "./constants.js";
import {rotationOf} from "./geometry.js";
import {shapesOf} from "./shapes.js";

/** @typedef {{values: number[], relative: number[], arkit: number[]}} Measures in the order of their names */

/**
 * The lengths and ratios that the measures are made of.
 *
 * @param {Float32Array} points pixels
 * @param {import("./head_pose.js").Pose} pose
 * @returns {Float64Array}
 */
function partsOf(points, pose) {
  const {weights, rows, shifts, places, ratios} = constants;
  const {back: [[p, q], [r, s]], offset, slant} = frontView(points, pose);
  const sums = new Float64Array(2 * rows);
  for (const [row, column, share] of weights) {
    sums[2 * row] += share * points[2 * column];
    sums[2 * row + 1] += share * points[2 * column + 1];
  }
  // Each sum of points as seen from the front: the view is affine.
  const front = new Float64Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    const [x, y, [moves, leans]] = [sums[2 * row], sums[2 * row + 1], shifts[row]];
    front[2 * row] = x * p + y * r + moves * offset[0] + leans * slant[0];
    front[2 * row + 1] = x * q + y * s + moves * offset[1] + leans * slant[1];
  }
  const found = Float64Array.from(places, (place) => front[place]);
  // Width and two heights: of the eyes from the front, and of eyes and lips in the picture.
  const length = (pairs, row) => Math.sqrt(pairs[2 * row] ** 2 + pairs[2 * row + 1] ** 2);
  const lengths = [];
  for (let row = places.length; row < rows - 3; row++) lengths.push(length(front, row));
  for (let row = places.length; row < rows; row++) lengths.push(length(sums, row));
  const lids = new Map(constants.lids);
  ratios.forEach((place, i) => {
    const width = Math.max(lengths[3 * i], 1e-6);
    found[place] = (lengths[3 * i + 1] + lengths[3 * i + 2]) / 2 / width;
    if (lids.has(place)) found[lids.get(place)] /= width;
  });
  return found;
}

/** How points come to lie as a camera in front of the face sees them: see `front_view` in Python. */
function frontView(points, pose) {
  const {sums, squares: [[xx, xy, xz], [, yy, yz], [, , zz]], middle, leastSeen} = constants.front;
  const found = new Float64Array(8);
  for (const [row, column, share] of sums) {
    found[2 * row] += share * points[2 * column];
    found[2 * row + 1] += share * points[2 * column + 1];
  }
  const [px, py, qx, qy, rx, ry, x, y] = found;
  const [a, b, e, c, d, f] = rotationOf(pose);
  const along = a * px + b * qx + e * rx + c * py + d * qy + f * ry;
  const square =
    xx * (a * a + c * c) + yy * (b * b + d * d) + zz * (e * e + f * f) +
    2 * (xy * (a * b + c * d) + xz * (a * e + c * f) + yz * (b * e + d * f));
  const scale = Math.max(along / square, 1e-6);
  // In profile hardly anything across the face is seen; without a limit it would be enlarged without end.
  const area = Math.max(a * d - b * c, leastSeen);
  const [p, q, r, s] = [d / area, -c / area, -b / area, a / area];
  const u = a * middle[0] + b * middle[1] + e * middle[2] - x / scale;
  const v = c * middle[0] + d * middle[1] + f * middle[2] - y / scale;
  return {
    back: [[p / scale, q / scale], [r / scale, s / scale]],
    offset: [u * p + v * r, u * q + v * s],
    slant: [e * p + f * r, e * q + f * s],
  };
}

/** @param {ArrayLike<number>} seen parts @returns {number[]} the measures */
function valuesOf(seen) {
  const found = new Array(constants.names.length).fill(0);
  for (const [row, column, share] of constants.sums) found[row] += share * seen[column];
  // Full and narrow lips.
  const [right, left] = constants.cornersOut;
  found[found.length - 1] /= Math.max(seen[right] + seen[left], 0.05);
  return found;
}

/**
 * @param {Float32Array} points
 * @param {import("./head_pose.js").Pose} pose
 * @param {ArrayLike<number>} usual usual parts of the person; by default those of the average face
 * @returns {Measures}
 */
export function measuresOf(points, pose, usual = constants.average) {
  const seen = partsOf(points, pose);
  const values = valuesOf(seen);
  const atRest = valuesOf(usual);
  return {values, relative: values.map((value, i) => value - atRest[i]), arkit: shapesOf(seen, usual)};
}

/** What is usual for one face: medians of what was seen of it, within the bounds of neutral faces. */
class Usual {
  constructor(seen, time) {
    this.parts = Float64Array.from(constants.average);
    this.time = time;
    this._recent = seen;
    this._given = false;
    /** @type {Float64Array[]} */
    this._kept = [];
    this._seen = 0;
    this._stride = 1;
    this._due = 1;
    this._learn(seen);
  }

  /** Take in the parts at this time. */
  look(seen, time) {
    const step = Math.min(Math.max(time - this.time, 0), 1);
    this.time = time;
    const share = step / (step + constants.recent);
    this._recent = this._recent.map((value, i) => value + share * (seen[i] - value));
    if (!this._given) this._learn(seen);
  }

  /** Take what the face shows now as its usual, for good. */
  settle() {
    this.parts = this._recent;
    this._given = true;
  }

  _learn(seen) {
    if (this._seen % this._stride === 0) {
      this._kept.push(seen);
      if (this._kept.length > constants.kept) {
        this._kept = this._kept.filter((_, i) => i % 2 === 0);
        this._stride *= 2;
      }
    }
    this._seen += 1;
    const count = this._kept.length;
    if (count < this._due) return;
    this.parts = this.parts.map((_, i) => {
      const sorted = this._kept.map((parts) => parts[i]).sort((a, b) => a - b);
      const middle = (sorted[(count - 1) >> 1] + sorted[count >> 1]) / 2;
      const median = Math.min(Math.max(middle, constants.least[i]), constants.most[i]);
      return (constants.prior * constants.average[i] + count * median) / (constants.prior + count);
    });
    this._due = Math.min(Math.max(constants.more * count, count + 1), constants.kept);
  }
}

/** The measures of the faces of a stream, by the numbers of their tracks. */
export class FollowedMeasures {
  constructor() {
    /** @type {Map<number, Usual>} */
    this._states = new Map();
  }

  /**
   * @param {number} id
   * @param {Float32Array} points
   * @param {import("./head_pose.js").Pose} pose
   * @param {number} time seconds of the stream
   * @returns {Measures}
   */
  see(id, points, pose, time) {
    const state = this._states.get(id);
    const passed = state ? time - state.time : -1;
    if (!(passed >= 0 && passed < constants.every)) this._learn(id, state, points, pose, time);
    return measuresOf(points, pose, this._states.get(id)?.parts);
  }

  /** Take what all faces show now as their usual, for good. */
  setNeutral() {
    for (const state of this._states.values()) state.settle();
  }

  /** Drop the state of a track that has ended. */
  forget(id) {
    this._states.delete(id);
  }

  /** Drop the state of every track. */
  reset() {
    this._states.clear();
  }

  _learn(id, state, points, pose, time) {
    if (Math.abs(pose.yaw) > constants.frontalYaw) {
      if (state) state.time = time;
      return;
    }
    const seen = partsOf(points, pose);
    if (!seen.every(Number.isFinite)) return;
    if (state) state.look(seen, time);
    else this._states.set(id, new Usual(seen, time));
  }
}
