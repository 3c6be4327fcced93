/** Smoothing of landmarks over time: a One-Euro filter for 68 points, as fkp_live/faces/smoothing.py. */

import {smoothing} from "./constants.js";

/** The adaptive gain of a low-pass for one group of points, given how far each is behind. */
class OneEuro {
  /** @param {{rest: number, gain: number, dead: number, trend: number}} options @param {number} size points */
  constructor(options, size) {
    this._options = options;
    this._age = 0;
    this._trend = new Float64Array(2 * size);
    this._gains = new Float64Array(size);
  }

  /**
   * @param {ArrayLike<number>} distances x and y in turn: raw less filtered, in eye distances
   * @param {number} seconds since the last ones
   * @returns {Float64Array} for each point the share in [0, 1] of its distance to move by; overwritten by the next call
   */
  gain(distances, seconds) {
    const {rest, gain, dead, trend} = this._options;
    this._age += seconds;
    // A young filter averages all that it was given, so that one bad first frame does not linger.
    const atRest = Math.max(rest, 1 / (2 * Math.PI * this._age));
    const share = 1 - Math.exp(-2 * Math.PI * trend * seconds);
    for (let i = 0; i < this._gains.length; i++) {
      // On a frozen picture the trend would sink to denormal numbers, which are slow.
      const x = this._trend[2 * i] + share * (distances[2 * i] - this._trend[2 * i]) + 1e-30;
      const y = this._trend[2 * i + 1] + share * (distances[2 * i + 1] - this._trend[2 * i + 1]);
      [this._trend[2 * i], this._trend[2 * i + 1]] = [x, y];
      const cutoff = atRest + gain * Math.max(Math.sqrt(x * x + y * y) - dead, 0);
      this._gains[i] = -Math.expm1(-2 * Math.PI * seconds * cutoff);
    }
    return this._gains;
  }
}

/** The state of one face: filtered points and the trends. */
class FaceFilter {
  constructor(points, time, level) {
    const [shift, turn, own] = smoothing.levels[level];
    this.points = Float64Array.from(points);
    this.time = time;
    this._shift = new OneEuro(shift, 1);
    this._turn = new OneEuro(turn, 1);
    this._own = new OneEuro(own, points.length / 2);
  }

  /** Move the filtered points towards new ones that came `seconds` later. */
  step(raw, seconds) {
    const {points} = this;
    const count = points.length / 2;
    const distance = Float64Array.from(raw, (value, i) => value - points[i]);
    const [shift, middle] = [mean(distance), mean(points)];
    const centred = points.map((value, i) => value - middle[i % 2]);
    // The turn and zoom (a complex factor) that explain the distance, in the least-squares sense.
    let [energy, turnX, turnY] = [0, 0, 0];
    for (let i = 0; i < centred.length; i += 2) {
      const [x, y, u, v] = [centred[i], centred[i + 1], distance[i], distance[i + 1]];
      energy += x * x + y * y;
      turnX += x * u + y * v;
      turnY += x * v - y * u;
    }
    energy = Math.max(energy, 1e-12);
    turnX /= energy;
    turnY /= energy;
    const radius = Math.sqrt(energy / count);
    const unit = radius / smoothing.radius;
    for (let i = 0; i < centred.length; i += 2) {
      const [x, y] = [centred[i], centred[i + 1]];
      distance[i] -= shift[0] + turnX * x - turnY * y;
      distance[i + 1] -= shift[1] + turnX * y + turnY * x;
    }
    const own = this._own.gain(distance.map((value) => value / unit), seconds);
    const shifted = this._shift.gain(shift.map((value) => value / unit), seconds)[0];
    const turned = this._turn.gain([(turnX * radius) / unit, (turnY * radius) / unit], seconds)[0];
    for (let i = 0; i < centred.length; i += 2) {
      const [x, y, gain] = [centred[i], centred[i + 1], own[i / 2]];
      points[i] += gain * distance[i] + shifted * shift[0] + turned * (turnX * x - turnY * y);
      points[i + 1] += gain * distance[i + 1] + shifted * shift[1] + turned * (turnX * y + turnY * x);
    }
  }
}

/** Smoothed points of every track. */
export class LandmarkSmoother {
  /** @param {string} level "off", "light", "medium" or "strong" */
  constructor(level = smoothing.usual) {
    if (level !== "off" && !Object.hasOwn(smoothing.levels, level)) {
      const known = ["off", ...Object.keys(smoothing.levels)].join(", ");
      throw new RangeError(`The smoothing is ${JSON.stringify(level)}, expected one of ${known}.`);
    }
    this.level = level;
    /** @type {Map<number, FaceFilter>} */
    this._faces = new Map();
  }

  /**
   * @param {number} id of the track
   * @param {Float32Array} points
   * @param {number} time seconds of the stream
   * @returns {Float32Array} smoothed
   */
  smooth(id, points, time) {
    if (this.level === "off") return points;
    const face = this._faces.get(id);
    const seconds = face ? time - face.time : -1;
    if (!(seconds >= 0 && seconds <= smoothing.longestStep)) {
      this._faces.set(id, new FaceFilter(points, time, this.level));
      return points;
    }
    face.step(points, Math.max(seconds, smoothing.leastStep));
    face.time = time;
    return Float32Array.from(face.points);
  }

  /** Drop the state of a track that has ended. */
  forget(id) {
    this._faces.delete(id);
  }

  /** Drop the state of every track. */
  reset() {
    this._faces.clear();
  }
}

/** @returns {[number, number]} mean of points */
function mean(points) {
  const sum = [0, 0];
  points.forEach((value, i) => (sum[i % 2] += value));
  return [(2 * sum[0]) / points.length, (2 * sum[1]) / points.length];
}
