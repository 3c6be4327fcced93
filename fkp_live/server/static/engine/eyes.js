/** Eyes looked at: how far each is open, and whether it is shut, as fkp_live/faces/eyes.py. */

import {eyeCorners, models} from "./constants.js";
import {lumaInto} from "./warping.js";

const facts = models["fkp-eyes"];

/** @typedef {{open: number[], shut: number[]}} Look openness and probability of being shut, of right and left eye */

/** The shipped network of eyes. */
export class EyeNetwork {
  /** @param {import("./networks.js").Network} network */
  constructor(network) {
    this._network = network;
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {Float32Array[]} faces points of each
   * @returns {Promise<Look[]>}
   */
  async look(picture, faces) {
    if (faces.length === 0) return [];
    const {width, height} = facts;
    const one = width * height;
    const patches = new Float32Array(2 * faces.length * one);
    faces.forEach((points, i) => {
      eyeAffines(points).forEach((affine, k) => patchInto(picture, affine, patches, (2 * i + k) * one));
    });
    const outputs = await this._network.run({[facts.input]: [patches, [2 * faces.length, 1, height, width]]});
    const pair = (name, i) => [outputs[name][2 * i], outputs[name][2 * i + 1]];
    return faces.map((_, i) => ({open: pair(facts.openness, i), shut: pair(facts.shut, i)}));
  }
}

/**
 * Where pixels of the patches of right and left eye lie in the picture: the outer corner left, the inner one right.
 *
 * @param {Float32Array} points
 * @returns {import("./geometry.js").Matrix[]}
 */
export function eyeAffines(points) {
  const {corners, leastWidth} = eyeCorners;
  const eyes = [corners.slice(0, 2), corners.slice(2)].map(([outer, inner]) => ({
    x: points[2 * outer],
    y: points[2 * outer + 1],
    dx: points[2 * inner] - points[2 * outer],
    dy: points[2 * inner + 1] - points[2 * outer + 1],
  }));
  const widths = eyes.map(({dx, dy}) => Math.hypot(dx, dy));
  const least = Math.max(leastWidth * Math.max(...widths), 1e-3);
  return eyes.map(({x, y, dx, dy}, i) => {
    const side = i === 0 ? 1 : -1;
    const step = Math.max(widths[i], least) / facts.eye;
    const [a, c] = widths[i] > 0 ? [(dx / widths[i]) * step, (dy / widths[i]) * step] : [side * step, 0];
    const [b, d] = [-side * c, side * a];
    const [u, v] = [(facts.width - 1) / 2, (facts.height - 1) / 2];
    return [a, b, x + dx / 2 - a * u - b * v, c, d, y + dy / 2 - c * u - d * v];
  });
}

/** Cut a patch out, from the picture or, where that would skip pixels, from whole blocks of it. */
export function patchInto(picture, [a, b, x, c, d, y], planes, start) {
  const {width, height} = facts;
  if (!Number.isFinite(a + b + x + c + d + y)) {
    planes.fill(0, start, start + width * height);
    return;
  }
  const step = Math.hypot(a, c);
  const halvings = step > 2 ? Math.ceil(Math.log2(step / 2)) : 0;
  const factor = 2 ** halvings;
  const left = x + Math.min(a, 0) * width + Math.min(b, 0) * height;
  const top = y + Math.min(c, 0) * width + Math.min(d, 0) * height;
  const x0 = Math.max(Math.trunc(left) - factor, 0);
  const y0 = Math.max(Math.trunc(top) - factor, 0);
  const right = left + (Math.abs(a) * width + Math.abs(b) * height);
  const bottom = top + (Math.abs(c) * width + Math.abs(d) * height);
  const columns = Math.floor((Math.min(Math.trunc(right) + factor + 1, picture.width) - x0) / factor);
  const rows = Math.floor((Math.min(Math.trunc(bottom) + factor + 1, picture.height) - y0) / factor);
  if (columns < 1 || rows < 1) {
    planes.fill(0, start, start + width * height);
    return;
  }
  // A pixel of the averages lies in the middle of its block.
  const [u, v] = [(x - x0 + 0.5) / factor - 0.5, (y - y0 + 0.5) / factor - 0.5];
  const part = picture.part(x0, y0, columns, rows, halvings);
  lumaInto(part, [a / factor, b / factor, u, c / factor, d / factor, v], width, height, planes, start);
}
