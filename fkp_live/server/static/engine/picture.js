/** A frame that the networks look at: its crops, reduced copies and brightness, as fkp_live/images/picture.py. */

import {detector} from "./constants.js";
import {sceneGrid} from "./scene_cut.js";
import {blocksUnder, halved, halvingsFor, resizeInto, warpInto} from "./warping.js";

/** RGBA pixels with their size. */
export class Picture {
  /**
   * @param {Uint32Array} pixels RGBA, one number a pixel, red in the lowest byte
   * @param {number} width
   * @param {number} height
   */
  constructor(pixels, width, height) {
    this.pixels = pixels;
    this.width = width;
    this.height = height;
  }

  /** @returns {import("./late_detector.js").Handed} what another worker needs to see the same */
  handed() {
    return {pixels: this.pixels, width: this.width, height: this.height, level: null};
  }

  /** @returns {Uint8Array} samples of the green channel, which stands for luma, for `SceneCut` */
  samples() {
    const {columns, rows, stepX, stepY} = sceneGrid(this.width, this.height);
    const found = new Uint8Array(columns * rows);
    const first = (stepY >> 1) * this.width + (stepX >> 1);
    for (let row = 0, to = 0; row < rows; row++) {
      let from = first + row * stepY * this.width;
      for (let column = 0; column < columns; column++, to++, from += stepX) found[to] = this.pixels[from] >> 8;
    }
    return found;
  }

  /**
   * @param {import("./geometry.js").Matrix} matrix
   * @param {number} size side of the crop
   * @param {Float32Array} planes gets blue, green and red of the crop, a plane each, from `start` on; black beyond the
   *   picture
   * @param {number} start
   */
  cropInto(matrix, size, planes, start) {
    const halvings = halvingsFor(matrix);
    const blocks = halvings ? blocksUnder(matrix, size, this.width, this.height, halvings) : null;
    if (!blocks) {
      warpInto(this, matrix, size, planes, start);
      return;
    }
    const {x, y, columns, rows} = blocks;
    warpInto(this.part(x, y, columns, rows, halvings), blocks.matrix, size, planes, start);
  }

  /**
   * A reduced copy of a region, in the upper left corner of planes that are black otherwise.
   *
   * @param {[number, number, number, number]} region x0, y0, x1, y1 in whole pixels
   * @param {number} width of the copy
   * @param {number} height of the copy
   * @param {number} paddedWidth of the planes
   * @param {number} paddedHeight
   * @returns {Float32Array} blue, green and red, a plane each
   */
  reduced([x0, y0, x1, y1], width, height, paddedWidth, paddedHeight) {
    const planes = new Float32Array(3 * paddedWidth * paddedHeight);
    const reduction = Math.max((x1 - x0) / width, (y1 - y0) / height);
    if (reduction <= detector.linearReduction) {
      resizeInto(this, [x0, y0, x1, y1], width, height, planes, paddedWidth, paddedHeight);
      return planes;
    }
    // Bilinear would skip pixels.
    const halvings = Math.floor(Math.log2(reduction));
    const [columns, rows] = [(x1 - x0) >> halvings, (y1 - y0) >> halvings];
    const small = this.part(x0, y0, Math.max(columns, 1), Math.max(rows, 1), halvings);
    resizeInto(small, [0, 0, small.width, small.height], width, height, planes, paddedWidth, paddedHeight);
    return planes;
  }

  /**
   * @param {number} x column of the first block
   * @param {number} y its row
   * @param {number} columns blocks
   * @param {number} rows blocks
   * @param {number} halvings blocks are 2 ** halvings pixels wide
   * @returns {Picture} their averages; a copy where there is nothing to halve
   */
  part(x, y, columns, rows, halvings) {
    if (halvings === 0) return this._copied(x, y, columns, rows);
    /** @type {Picture} */
    let picture = this;
    for (let step = halvings - 1; step >= 0; step--) {
      const [width, height] = [columns << step, rows << step];
      picture = new Picture(halved(picture, x, y, width, height), width, height);
      x = y = 0;
    }
    return picture;
  }

  _copied(x, y, columns, rows) {
    const pixels = new Uint32Array(columns * rows);
    for (let row = 0; row < rows; row++) {
      const from = (y + row) * this.width + x;
      pixels.set(this.pixels.subarray(from, from + columns), row * columns);
    }
    return new Picture(pixels, columns, rows);
  }
}
