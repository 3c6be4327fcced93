/** The eyes of followed faces, looked at where their lids may have moved, as fkp_live/faces/followed_eyes.py. */

import {followedEyes as constants} from "./constants.js";
import {openness} from "./openness.js";

/** The eyes of the faces of a stream, by the numbers of their tracks. */
export class FollowedEyes {
  /** @param {import("./eyes.js").EyeNetwork} network */
  constructor(network) {
    this._network = network;
    this._states = new Map();
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {{id: number, points: Float32Array}[]} tracks points before smoothing
   * @param {number} time seconds of the stream
   * @returns {Promise<import("./eyes.js").Look[]>}
   */
  async see(picture, tracks, time) {
    const now = tracks.map(({points}) => openness(points).eyesOpen);
    const due = tracks.map((_, i) => i).filter((i) => isDue(this._states.get(tracks[i].id), now[i], time));
    const looks = await this._network.look(picture, due.map((i) => tracks[i].points));
    due.forEach((i, k) => {
      const {id} = tracks[i];
      const state = this._states.get(id);
      const open = mean(looks[k]);
      const widest = state ? state.widest - constants.forgotten * (state.widest - open) : open;
      this._states.set(id, {look: looks[k], time, byPoints: now[i], widest: Math.max(open, widest)});
    });
    return tracks.map(({id}) => this._states.get(id).look);
  }

  /** Drop the state of a track that has ended. */
  forget(id) {
    this._states.delete(id);
  }

  /** Drop the state of every track. */
  reset() {
    this._states.clear();
  }
}

/** @returns {boolean} whether the eyes are to be looked at again; "not <" so that NaN is looked at */
function isDue(state, byPoints, time) {
  if (!state) return true;
  const passed = time - state.time;
  return (
    !(passed >= 0 && passed < constants.every) ||
    !(Math.abs(byPoints - state.byPoints) < constants.moved * state.byPoints) ||
    mean(state.look) < constants.narrow * state.widest
  );
}

const mean = ({open: [right, left]}) => (right + left) / 2;
