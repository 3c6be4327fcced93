/** Scene cuts: a sudden change of the whole picture on a coarse grid, as fkp_live/faces/scene_cut.py. */

import {tracker} from "./constants.js";

/**
 * Where the samples lie: the middle of each step.
 *
 * @param {number} width
 * @param {number} height
 * @returns {{columns: number, rows: number, stepX: number, stepY: number}}
 */
export function sceneGrid(width, height) {
  const stepX = Math.max(Math.floor(width / tracker.cutGrid), 1);
  const stepY = Math.max(Math.floor(height / tracker.cutGrid), 1);
  return {
    columns: Math.ceil((width - Math.floor(stepX / 2)) / stepX),
    rows: Math.ceil((height - Math.floor(stepY / 2)) / stepY),
    stepX,
    stepY,
  };
}

/** Compares each picture with the one before. */
export class SceneCut {
  constructor() {
    this.reset();
  }

  /** Forget the last picture and the usual change. */
  reset() {
    /** @type {Uint8Array | null} */
    this._grid = null;
    this._size = "";
    this._usual = 0;
  }

  /**
   * @param {Uint8Array} samples luma at the places of `sceneGrid`
   * @param {number} width of the picture
   * @param {number} height of the picture
   * @returns {boolean} whether it begins another scene; false for the first one
   */
  see(samples, width, height) {
    const [last, lastSize] = [this._grid, this._size];
    this._grid = samples;
    this._size = `${width}x${height}`;
    if (!last) return false;
    if (lastSize !== this._size) return true;
    let sum = 0;
    for (let i = 0; i < samples.length; i++) sum += Math.abs(samples[i] - last[i]);
    const change = sum / samples.length;
    const isCut = change > Math.max(tracker.cutLevels, tracker.cutRatio * this._usual);
    this._usual += tracker.cutUsualShare * (change - this._usual);
    return isCut;
  }
}
