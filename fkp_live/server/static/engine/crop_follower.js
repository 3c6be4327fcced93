/** Crops of followed faces: level eyes and a dead band, as fkp_live/faces/crop_follower.py. */

import {eyes, tracker} from "./constants.js";
import {faceSide, remainder} from "./geometry.js";

const {fround} = Math;

/** The crop of one face, which stays still while its points move by less than the dead band. */
export class CropFollower {
  /** @param {import("./geometry.js").CropSpec} spec */
  constructor(spec) {
    this._spec = spec;
    this.restart();
  }

  /** Forget where the crop was, so that the next one is centred on its points. */
  restart() {
    /** @type {Place | null} */
    this._place = null;
  }

  /**
   * @param {Float32Array} points of the face in its last frame
   * @param {[number, number]} lead pixels: how far the face is expected to have moved since
   * @returns {import("./geometry.js").Matrix} of the next crop
   */
  follow(points, [leadX, leadY]) {
    const wanted = placeAround(points);
    const [x, y] = [wanted.x + leadX, wanted.y + leadY];
    if (this._place === null) {
      this._place = {...wanted, x, y};
    } else {
      const [place, band] = [this._place, tracker.deadBand];
      const pixels = band * place.side;
      this._place = {
        x: place.x + beyond(x - place.x, pixels),
        y: place.y + beyond(y - place.y, pixels),
        side: place.side + beyond(wanted.side - place.side, pixels),
        angle: place.angle + beyond(remainder(wanted.angle - place.angle), band),
      };
    }
    return matrixOf(this._place, this._spec);
  }
}

/** @returns {import("./geometry.js").Matrix} of the crop around a face's points, turned so that the eyes are level */
export const levelMatrix = (points, spec) => matrixOf(placeAround(points), spec);

/** @param {Float32Array} points @returns {number} radians by which the line of the eyes is turned, clockwise as seen */
export const rollOf = (points) => -placeAround(points).angle;

/**
 * @typedef {{x: number, y: number, side: number, angle: number}} Place
 *   centre and longer side of the box in pixels, angle to turn it by in radians
 */

/** @param {Float32Array} points @returns {Place} the place of a face, turned to level eyes */
function placeAround(points) {
  const across = [0, 0];
  for (const axis of [0, 1]) {
    let sum = 0;
    for (const i of eyes.leftEye) sum += points[2 * i + axis] / eyes.leftEye.length;
    for (const i of eyes.rightEye) sum -= points[2 * i + axis] / eyes.rightEye.length;
    across[axis] = sum;
  }
  const angle = -Math.atan2(across[1], across[0]);
  // The turned points are float32 in Python too.
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [c32, s32] = [fround(c), fround(s)];
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    const x = fround(points[i] * c32 - points[i + 1] * s32);
    const y = fround(points[i] * s32 + points[i + 1] * c32);
    [x0, x1] = [Math.min(x0, x), Math.max(x1, x)];
    [y0, y1] = [Math.min(y0, y), Math.max(y1, y)];
  }
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return {x: x * c + y * s, y: y * c - x * s, side: Math.max(x1 - x0, y1 - y0, 1e-3), angle};
}

/** @param {Place} place @param {import("./geometry.js").CropSpec} spec @returns {import("./geometry.js").Matrix} */
function matrixOf({x, y, side, angle}, spec) {
  const [scale, middle] = [faceSide(spec) / side, (spec.size - 1) / 2];
  const [c, s] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return [c, -s, middle - c * x + s * y, s, c, middle - s * x - c * y];
}

/** @returns {number} the part of `off` that lies outside a dead band of `band` to both sides */
const beyond = (off, band) => Math.sign(off) * Math.max(Math.abs(off) - band, 0);
