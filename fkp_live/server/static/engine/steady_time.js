/** Steady time: timestamps as a clock that does not go back by a little, as fkp_live/faces/steady_time.py. */

import {tracker} from "./constants.js";

/** Seconds that filters and predictions can take differences of. */
export class SteadyTime {
  constructor() {
    this.reset();
  }

  /** Forget every timestamp. */
  reset() {
    this._last = this._latest = this._time = -Infinity;
    this._step = 0;
    // What is added to timestamps: now, and once they are later than every one so far.
    this._shift = this._laterShift = 0;
  }

  /**
   * @param {number} timestamp seconds
   * @returns {{time: number, beganAnew: boolean}} steady time, and whether the clock began anew
   */
  next(timestamp) {
    const last = this._last;
    const beganAnew = timestamp < last - tracker.clockJump;
    if (beganAnew) this.reset();
    const isLatest = timestamp > this._latest;
    let shift = isLatest ? this._laterShift : this._shift;
    if (timestamp < this._last || (isLatest && timestamp + shift <= this._time)) {
      shift = this._time + this._step - timestamp;
    } else if (-Infinity < last && last === this._latest) {
      this._step = Math.min(timestamp - last, tracker.clockJump);
    }
    this._shift = shift;
    if (isLatest) [this._laterShift, this._latest] = [shift, timestamp];
    [this._last, this._time] = [timestamp, timestamp + shift];
    return {time: this._time, beganAnew};
  }
}
