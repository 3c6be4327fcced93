/** Measures of a face, raw and relative to what is usual, as faces/front_view.py, measures.py and followed_measures.py. */

import {measures as constants} from "./constants.js";
import {rotationOf} from "./geometry.js";
import {openness} from "./openness.js";
import {shapesOf} from "./shapes.js";

const {right, left, single} = constants;

/** @typedef {{values: number[], relative: number[], arkit: number[]}} Measures in the order of their names */

/** Points of the face as a camera in front of it sees them, in eye distances: see from_the_front in Python. */
function fromTheFront(points, pose) {
  const [a, b, e, c, d, f] = rotationOf(pose);
  const still = constants.still.map((i) => {
    const [x, y, z] = constants.head[i];
    return [a * x + b * y + e * z, c * x + d * y + f * z, points[2 * i], points[2 * i + 1]];
  });
  const [turnedX, turnedY, middleX, middleY] = [0, 1, 2, 3].map(
    (k) => still.reduce((sum, row) => sum + row[k], 0) / still.length,
  );
  let [product, square] = [0, 0];
  for (const [x, y, u, v] of still) {
    product += (x - turnedX) * (u - middleX) + (y - turnedY) * (v - middleY);
    square += (x - turnedX) ** 2 + (y - turnedY) ** 2;
  }
  const scale = Math.max(product / square, 1e-6);
  // In profile hardly anything across the face is seen; without a limit it would be enlarged without end.
  const area = Math.max(a * d - b * c, constants.leastSeen);
  const front = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const depth = constants.head[i / 2][2];
    const x = (points[i] - middleX) / scale + turnedX - depth * e;
    const y = (points[i + 1] - middleY) / scale + turnedY - depth * f;
    front[i] = (d * x - b * y) / area;
    front[i + 1] = (a * y - c * x) / area;
  }
  return front;
}

/** @param {ArrayLike<number>} points @returns {number} distance of two of them */
const distance = (points, [from, to]) =>
  Math.sqrt((points[2 * from] - points[2 * to]) ** 2 + (points[2 * from + 1] - points[2 * to + 1]) ** 2);

/**
 * The lengths and ratios that the measures are made of.
 *
 * @param {Float32Array} points pixels
 * @param {import("./head_pose.js").Pose} pose
 * @returns {Float64Array}
 */
export function partsOf(points, pose) {
  const front = fromTheFront(points, pose);
  const found = new Float64Array(constants.average.length);
  for (const [row, column, share] of constants.rows) found[row] += share * front[column];
  const seen = openness(points);
  [right, left].forEach((side, i) => {
    const [width, outer, inner] = constants.eyes[i].map((pair) => distance(front, pair));
    const least = Math.max(width, 1e-6);
    found[side.eye] = (outer + inner) / 2 / least;
    found[side.lowerLid] /= least;
    found[side.ear] = i === 0 ? seen.rightEyeOpen : seen.leftEyeOpen;
  });
  const [outer, inner, width] = constants.lips.map((pair) => distance(points, pair));
  found[single.mar] = (outer + inner) / 2 / Math.max(width, 1e-6);
  return found;
}

/** @param {ArrayLike<number>} seen parts @returns {number[]} the measures */
function valuesOf(seen) {
  const found = new Array(constants.names.length).fill(0);
  for (const [row, column, share] of constants.sums) found[row] += share * seen[column];
  // Full and narrow lips.
  found[found.length - 1] /= Math.max(seen[right.cornerOut] + seen[left.cornerOut], 0.05);
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
