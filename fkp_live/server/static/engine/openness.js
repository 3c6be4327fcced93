/** Openness of eyes and mouth from the 68 points, and blinks of followed faces, as fkp_live/faces/openness.py. */

import {openness as constants} from "./constants.js";

/**
 * @typedef {{rightEyeOpen: number, leftEyeOpen: number, mouthOpen: number, eyesOpen: number, blink: boolean}} Openness
 */

/** @param {Float32Array} points @returns {Openness} distances of lids and lips over the distance of their corners */
export function openness(points) {
  const d = constants.pairs.map(([from, to]) => {
    return Math.sqrt((points[2 * from] - points[2 * to]) ** 2 + (points[2 * from + 1] - points[2 * to + 1]) ** 2);
  });
  const [right, left, mouth] = [(d[0] + d[1]) / 2, (d[2] + d[3]) / 2, (d[4] + d[5] + d[6]) / 3];
  const [wideRight, wideLeft, wideMouth] = d.slice(7).map((width) => Math.max(width, 1e-6));
  const eyesOpen = (right + left) / (wideRight + wideLeft);
  return {
    rightEyeOpen: right / wideRight,
    leftEyeOpen: left / wideLeft,
    mouthOpen: mouth / wideMouth,
    eyesOpen,
    blink: eyesOpen < constants.blinkBelow,
  };
}

/** Blinks of followed faces, each by its own usual openness of the eyes. */
export class Blinks {
  constructor() {
    /** @type {Map<number, {usual: number, shut: boolean, time: number}>} */
    this._eyes = new Map();
  }

  /**
   * @param {number} id of the track
   * @param {number} open openness of both eyes by the points before smoothing
   * @param {number} yaw of the head, radians
   * @param {number} time seconds of the stream
   * @returns {boolean} whether the eyes are shut
   */
  see(id, open, yaw, time) {
    let eyes = this._eyes.get(id);
    if (Math.abs(yaw) > constants.frontalYaw) {
      if (eyes) eyes.time = time;
      return open < constants.blinkBelow;
    }
    if (!eyes) {
      // Not less than most: a face that comes with its eyes shut is not taken for one with narrow eyes.
      eyes = {usual: Math.max(open, constants.atFirst), shut: false, time};
      this._eyes.set(id, eyes);
    }
    const share = eyes.shut ? constants.openShare : constants.shutShare;
    const limit = Math.min(share * eyes.usual, (constants.shutBelow * share) / constants.shutShare);
    eyes.shut = open < Math.max(constants.blinkBelow, limit);
    if (!eyes.shut || open >= constants.neverShut) {
      const slowness = open > eyes.usual ? constants.widerSeconds : constants.narrowerSeconds;
      eyes.usual += (1 - Math.exp(-Math.max(time - eyes.time, 0) / slowness)) * (open - eyes.usual);
    }
    eyes.time = time;
    return eyes.shut;
  }

  /** Drop the state of a track that has ended. */
  forget(id) {
    this._eyes.delete(id);
  }

  /** Drop the state of every track. */
  reset() {
    this._eyes.clear();
  }
}
