/** Expressions of followed faces: against each person's neutral face, steady, as followed_expressions.py. */

import {expressions as constants, models} from "./constants.js";
import {against, probabilities} from "./expression_network.js";

const average = models["fkp-expression"].neutral;

/** @typedef {{label: string, confidence: number, probabilities: number[]}} Expression */

/** The expressions of the faces of a stream, by the numbers of their tracks. */
export class FollowedExpressions {
  /** @param {import("./expression_network.js").ExpressionNetwork} network */
  constructor(network) {
    this._network = network;
    this._states = new Map();
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {{id: number, points: Float32Array}[]} faces
   * @param {number} time seconds of the stream
   * @returns {Promise<Expression[]>}
   */
  async see(picture, faces, time) {
    const due = faces.filter(({id}) => this.isDue(id, time));
    const answers = await this._network.look(picture, due.map(({points}) => points));
    due.forEach(({id}, i) => this.take(id, answers[i], time));
    return faces.map(({id}) => this.shown(id));
  }

  /** @returns {boolean} whether the network is to look at this face: a few times a second */
  isDue(id, time) {
    const state = this._states.get(id);
    return !state || part(time) !== part(state.time);
  }

  /** Take in an answer of the network. */
  take(id, answer, time) {
    const state = this._states.get(id);
    if (!state) {
      const shares = probabilities(answer.logits);
      const label = largest(shares);
      this._states.set(id, {
        answer, time, shares, label, since: time, mean: new Float64Array(shares.length), weight: 0, given: null,
      });
      return;
    }
    const step = Math.min(Math.max(time - state.time, 0), 1);
    state.time = time;
    const share = 1 - Math.exp(-step / constants.followSeconds);
    const towards = (from, to) => from.map((value, i) => value + share * (to[i] - value));
    const seen = relative(state, answer);
    state.shares = towards(state.shares, seen);
    // A short mean of answers too, which `setNeutral` takes: one frame may be a blink.
    state.answer = {
      logits: towards(state.answer.logits, answer.logits),
      placed: towards(state.answer.placed, answer.placed),
    };
    learn(state, answer.logits, seen[0], step);
    const best = largest(state.shares);
    const lead = state.shares[best] - state.shares[state.label];
    const isRested = time - state.since >= constants.leastSeconds;
    if (lead > constants.changed || (isRested && lead > constants.lead)) [state.label, state.since] = [best, time];
  }

  /** @returns {Expression} */
  shown(id) {
    const {shares, label} = this._states.get(id);
    return {label: constants.names[label], confidence: shares[label], probabilities: shares};
  }

  /** Take what all faces show now as their neutral face, from now on. */
  setNeutral() {
    for (const state of this._states.values()) {
      state.given = state.answer;
      state.shares = relative(state, state.answer);
      [state.label, state.since] = [largest(state.shares), state.time];
    }
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

/** Probabilities of an answer, relative to what is known of the person's neutral face. */
function relative(state, answer) {
  if (state.given) return probabilities(against(answer, state.given));
  const share = (constants.learntShare * state.weight) / (state.weight + constants.halfKnown);
  const {furthest} = constants;
  return probabilities(
    Array.from(answer.logits, (logit, k) => {
      return logit - share * Math.min(Math.max(state.mean[k] - average[k], -furthest), furthest);
    }),
  );
}

/** The usual answer for this face, frames counting by the probability that they are neutral. */
function learn(state, logits, neutral, step) {
  const gained = step * (constants.leastWeight + neutral);
  if (!(gained > 0)) return;
  state.weight += gained;
  state.mean = state.mean.map((value, k) => value + (gained / state.weight) * (logits[k] - value));
  state.weight = Math.min(state.weight, constants.forget);
}

const largest = (shares) => shares.indexOf(Math.max(...shares));

/** Which part of a second: the same for recorded and live frames, whichever of them were dropped. */
const part = (time) => Math.floor(time * constants.runs + 1e-6);
