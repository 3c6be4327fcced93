/** Landmark network: 68 points of every face of a picture, in one run, as fkp_live/faces/landmark_network.py. */

import {models} from "./constants.js";
import {apply, invert} from "./geometry.js";

/** @typedef {{points: Float32Array, confidence: Float32Array}} Landmarks 136 numbers in frame pixels, and 68 */

/** A network of schema fkp-landmarks/1. */
export class LandmarkNetwork {
  /**
   * @param {import("./networks.js").Network} network
   * @param {string} name of the shipped model
   */
  constructor(network, name) {
    this._network = network;
    this._facts = models[name];
    /** @type {import("./geometry.js").CropSpec} */
    this.spec = {size: this._facts.size, margin: this._facts.margin};
    /** How much of it learnt from turned faces, 0 to 1. */
    this.knowsTurned = this._facts.knowsTurned;
    this._input = new Float32Array(0);
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {import("./geometry.js").Matrix[]} matrices of N crops
   * @returns {Promise<Landmarks[]>} N
   */
  async locate(picture, matrices) {
    if (matrices.length === 0) return [];
    const {size} = this.spec;
    const one = 3 * size * size;
    if (this._input.length < matrices.length * one) this._input = new Float32Array(matrices.length * one);
    matrices.forEach((matrix, i) => picture.cropInto(matrix, size, this._input, i * one));
    const input = this._input.subarray(0, matrices.length * one);
    const outputs = await this._network.run({[this._facts.input]: [input, [matrices.length, 3, size, size]]});
    return decode(outputs[this._facts.points], outputs[this._facts.confidence], matrices);
  }
}

/**
 * @param {Float32Array} points of N crops, in crop pixels
 * @param {Float32Array} confidence 68 numbers a crop
 * @param {import("./geometry.js").Matrix[]} matrices of the crops
 * @returns {Landmarks[]}
 */
export function decode(points, confidence, matrices) {
  return matrices.map((matrix, i) => ({
    points: apply(invert(matrix), points.subarray(136 * i, 136 * i + 136)),
    confidence: confidence.slice(68 * i, 68 * i + 68),
  }));
}
