/** Pictures of the engine: a frame's crops, reduced copies and samples of its brightness. */

import {detector} from "./constants.js";
import {sceneGrid} from "./scene_cut.js";
import {blocksUnder, halved, halvingsFor, warpInto} from "./warping.js";

/** Canvases by use, shared by all pictures of one engine. */
export class Canvases {
  constructor() {
    /** @type {Map<string, OffscreenCanvasRenderingContext2D>} */
    this._contexts = new Map();
  }

  /**
   * @param {string} use what it is for: one canvas of each use
   * @param {number} width
   * @param {number} height
   * @returns {OffscreenCanvasRenderingContext2D} bilinear; what was drawn before is still there
   */
  get(use, width, height) {
    let context = this._contexts.get(use);
    if (!context) {
      // Pixels are read back at once: a canvas on the GPU would wait for it.
      context = new OffscreenCanvas(width, height).getContext("2d", {alpha: false, willReadFrequently: true});
      if (!context) throw new Error("This browser gives no 2D canvas in a worker.");
      this._contexts.set(use, context);
    }
    const canvas = context.canvas;
    // Setting a side clears the canvas and allocates it anew, also where it stays the same.
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low"; // bilinear
    return context;
  }
}

/** A frame that the networks look at. */
export class CanvasPicture {
  /**
   * @param {ImageBitmap | VideoFrame} source closed by whoever made it
   * @param {Canvases} canvases
   */
  constructor(source, canvases) {
    this._canvases = canvases;
    /** @type {number} pixels */
    this.width = "displayWidth" in source ? source.displayWidth : source.width;
    /** @type {number} pixels */
    this.height = "displayHeight" in source ? source.displayHeight : source.height;
    // Drawn once: each drawing of a camera's frame converts the colours of all of it.
    this._frame = canvases.get("frame", this.width, this.height);
    this._frame.drawImage(source, 0, 0, this.width, this.height);
  }

  /** @returns {Uint8ClampedArray} RGBA samples for `SceneCut` */
  samples() {
    const {columns, rows, stepX, stepY} = sceneGrid(this.width, this.height);
    const context = this._canvases.get("samples", columns, rows);
    // Without smoothing a canvas takes the pixel under the centre of each of its own: the middle one of a step.
    context.imageSmoothingEnabled = false;
    context.drawImage(this._frame.canvas, 0, 0, columns * stepX, rows * stepY, 0, 0, columns, rows);
    return context.getImageData(0, 0, columns, rows).data;
  }

  /**
   * @param {import("./geometry.js").Matrix} matrix
   * @param {number} size side of the crop
   * @param {Float32Array} planes gets blue, green and red of the crop, a plane each, from `start` on; black beyond the
   *   picture
   * @param {number} start
   */
  cropInto(matrix, size, planes, start) {
    let halvings = halvingsFor(matrix);
    let blocks = blocksUnder(matrix, size, this.width, this.height, halvings);
    if (!blocks && halvings) {
      halvings = 0;
      blocks = blocksUnder(matrix, size, this.width, this.height, halvings);
    }
    if (!blocks) {
      planes.fill(0, start, start + 3 * size * size);
      return;
    }
    const {x, y, columns, rows} = blocks;
    const factor = 2 ** halvings;
    let width = columns * factor;
    let pixels = new Uint32Array(this._frame.getImageData(x, y, width, rows * factor).data.buffer);
    for (let step = 0; step < halvings; step++, width /= 2) pixels = halved(pixels, width);
    // The averages are a picture of their own; without them the region is a part of this one.
    if (halvings) warpInto(pixels, {x: 0, y: 0, width, height: rows}, blocks.matrix, size, planes, start);
    else warpInto(pixels, {x, y, width, height: rows}, matrix, size, planes, start);
  }

  /**
   * @param {[number, number, number, number]} region x0, y0, x1, y1 in whole pixels
   * @param {number} width of the copy
   * @param {number} height of the copy
   * @param {number} paddedWidth of the canvas: the copy lies in its upper left corner, the rest is black
   * @param {number} paddedHeight
   * @returns {Uint8ClampedArray} RGBA of the canvas
   */
  reduced([x0, y0, x1, y1], width, height, paddedWidth, paddedHeight) {
    const context = this._canvases.get("reduced", paddedWidth, paddedHeight);
    const reduction = Math.max((x1 - x0) / width, (y1 - y0) / height);
    // Bilinear would skip pixels.
    if (reduction > detector.linearReduction) context.imageSmoothingQuality = "high";
    context.fillRect(0, 0, paddedWidth, paddedHeight);
    context.drawImage(this._frame.canvas, x0, y0, x1 - x0, y1 - y0, 0, 0, width, height);
    return context.getImageData(0, 0, paddedWidth, paddedHeight).data;
  }
}

/**
 * RGBA bytes as the planes B, G, R of a network's input.
 *
 * @param {Uint8ClampedArray} pixels
 * @param {Float32Array} planes three planes of one value per pixel
 */
export function toPlanes(pixels, planes) {
  const count = pixels.length / 4;
  for (let i = 0, j = 0; j < count; i += 4, j++) {
    planes[j] = pixels[i + 2];
    planes[j + count] = pixels[i + 1];
    planes[j + 2 * count] = pixels[i];
  }
}
