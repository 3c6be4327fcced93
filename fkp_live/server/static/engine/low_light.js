/** Dark pictures made bright for the networks, as fkp_live/images/low_light.py: stretched, and lightly blurred. */

import {lowLight as constants} from "./constants.js";
import {roundHalfEven} from "./geometry.js";

/**
 * @param {import("./picture.js").Picture} picture
 * @returns {number} the 99th percentile of its green, in grey levels; `dark` or more where it is not dark
 */
export function levelOf({pixels, width, height}) {
  const side = constants.grid;
  const counts = new Uint32Array(256);
  for (let row = 0; row < side; row++) {
    const from = Math.floor((row * height) / side) * width;
    for (let column = 0; column < side; column++) {
      counts[(pixels[from + Math.floor((column * width) / side)] >> 8) & 255] += 1;
    }
  }
  let beyond = Math.floor((side * side) / 100);
  for (let level = 255; level > 0; level--) {
    if (counts[level] > beyond) return level;
    beyond -= counts[level];
  }
  return 0;
}

/** @returns {import("./picture.js").Picture | StretchedPicture} a single picture as the networks see it */
export function brightened(picture) {
  const level = levelOf(picture);
  return level < constants.dark ? new StretchedPicture(picture, level) : picture;
}

/** `brightened` for the pictures of one stream: decided every few frames, and with hysteresis. */
export class LowLight {
  constructor() {
    this.reset();
  }

  /** Forget the stream. */
  reset() {
    /** @type {number | null} null: not dark */
    this._level = null;
    this._frames = 0;
  }

  /** @returns {import("./picture.js").Picture | StretchedPicture} the next picture as the networks see it */
  see(picture) {
    if (this._frames % constants.every === 0) this._follow(levelOf(picture));
    this._frames += 1;
    return this._level === null ? picture : new StretchedPicture(picture, this._level);
  }

  _follow(seen) {
    const {dark, bright, least, jump, share} = constants;
    const level = this._level;
    if (seen >= (level === null ? dark : bright)) this._level = null;
    else if (level === null || Math.max(seen, least) > jump * level || Math.max(level, least) > jump * seen) {
      this._level = seen;
    } else this._level = level + share * (seen - level);
  }
}

/** A dark picture, stretched wherever the networks read it. */
export class StretchedPicture {
  /** @param {import("./picture.js").Picture} picture @param {number} level that becomes white */
  constructor(picture, level) {
    this._picture = picture;
    this._level = level;
    this.width = picture.width;
    this.height = picture.height;
    const factor = constants.white / Math.max(level, constants.least);
    this._table = Float32Array.from({length: 256}, (_, grey) => roundHalfEven(Math.min(grey * factor, 255)));
  }

  /** As of `Picture`. */
  handed() {
    return {...this._picture.handed(), level: this._level};
  }

  /** As of `Picture`. */
  cropInto(matrix, size, planes, start) {
    this._picture.cropInto(matrix, size, planes, start);
    for (let plane = 0; plane < 3; plane++) this._stretch(planes, start + plane * size * size, size, size, size);
  }

  /** As of `Picture`. */
  reduced(region, width, height, paddedWidth, paddedHeight) {
    const planes = this._picture.reduced(region, width, height, paddedWidth, paddedHeight);
    for (let plane = 0; plane < 3; plane++) {
      this._stretch(planes, plane * paddedWidth * paddedHeight, width, height, paddedWidth);
    }
    return planes;
  }

  /** Stretch and blur the upper left part of a plane, whose border is mirrored. */
  _stretch(planes, start, width, height, stride) {
    const {kernel} = constants;
    const reach = kernel.length >> 1;
    const [columns, rows] = [mirrored(width, reach), mirrored(height, reach)];
    const across = new Float32Array(width * height);
    for (let row = 0, to = 0; row < height; row++) {
      const from = start + row * stride;
      for (let column = 0; column < width; column++, to++) {
        let sum = 0;
        for (let k = 0; k < kernel.length; k++) sum += kernel[k] * this._table[planes[from + columns[column + k]]];
        across[to] = sum;
      }
    }
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        let sum = 0;
        for (let k = 0; k < kernel.length; k++) sum += kernel[k] * across[rows[row + k] * width + column];
        planes[start + row * stride + column] = (sum + 0x8000) >> 16;
      }
    }
  }
}

/** Places from -reach to side + reach, those beyond the ends mirrored at them. */
function mirrored(side, reach) {
  return Int32Array.from({length: side + 2 * reach}, (_, i) => {
    let place = Math.abs(i - reach);
    // A side shorter than the kernel is mirrored more than once.
    while (place < 0 || place > side - 1) place = side === 1 ? 0 : Math.abs(2 * (side - 1) - place);
    return place;
  });
}
