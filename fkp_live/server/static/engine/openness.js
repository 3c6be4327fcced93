/** Openness of eyes and mouth from the 68 points, and blinks of followed faces, as fkp_live/faces/openness.py. */

import {openness as constants} from "./constants.js";

/**
 * @typedef {{rightEyeOpen: number, leftEyeOpen: number, mouthOpen: number, eyesOpen: number, blink: boolean,
 *   isByPoints: boolean}} Openness
 */

/**
 * Distances of lids and lips over the distance of their corners; that of the eyes as the network saw them, if it did.
 *
 * @param {Float32Array} points
 * @param {import("./eyes.js").Look | null} look
 * @returns {Openness}
 */
export function openness(points, look = null) {
  const d = constants.pairs.map(([from, to]) => {
    return Math.sqrt((points[2 * from] - points[2 * to]) ** 2 + (points[2 * from + 1] - points[2 * to + 1]) ** 2);
  });
  const [right, left, mouth] = [(d[0] + d[1]) / 2, (d[2] + d[3]) / 2, (d[4] + d[5] + d[6]) / 3];
  const [wideRight, wideLeft, wideMouth] = d.slice(7).map((width) => Math.max(width, 1e-6));
  const mouthOpen = mouth / wideMouth;
  const ofBoth = (one, other) => (one * wideRight + other * wideLeft) / (wideRight + wideLeft);
  if (look === null) {
    const eyesOpen = (right + left) / (wideRight + wideLeft);
    const blink = eyesOpen < constants.blinkBelow;
    return {
      rightEyeOpen: right / wideRight, leftEyeOpen: left / wideLeft, mouthOpen, eyesOpen, blink, isByPoints: true,
    };
  }
  const [rightEyeOpen, leftEyeOpen] = look.open.map((open) => Math.max(open, 0));
  const eyesOpen = ofBoth(rightEyeOpen, leftEyeOpen);
  return {
    rightEyeOpen, leftEyeOpen, mouthOpen, eyesOpen, blink: ofBoth(...look.shut) >= constants.shutFrom, isByPoints: false,
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
   * @param {Openness} seen of the eyes that were looked at, or of the points before smoothing
   * @param {number} yaw of the head, radians
   * @param {number} time seconds of the stream
   * @returns {boolean} whether the eyes are shut
   */
  see(id, seen, yaw, time) {
    const open = seen.eyesOpen;
    const limits = seen.isByPoints ? constants.byPoints : constants.lookedAt;
    let eyes = this._eyes.get(id);
    if (Math.abs(yaw) > constants.frontalYaw) {
      if (eyes) eyes.time = time;
      return seen.isByPoints ? open < constants.blinkBelow : seen.blink;
    }
    if (!eyes) {
      // Not less than most: a face that comes with its eyes shut is not taken for one with narrow eyes.
      eyes = {usual: Math.max(open, limits.first), shut: false, time};
      this._eyes.set(id, eyes);
    }
    const share = eyes.shut ? limits.open : limits.shut;
    const limit = Math.min(share * eyes.usual, (limits.most * share) / limits.shut);
    eyes.shut = open < Math.max(limits.least, limit);
    if (!eyes.shut || open >= limits.never) {
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
