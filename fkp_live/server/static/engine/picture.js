/**
 * Pictures of the engine: a frame's crops, reduced copies and samples of its brightness, drawn on canvases.
 *
 * Every canvas is small and kept; only its few pixels are read back, never the whole frame.
 */

import {detector} from "./constants.js";
import {sceneGrid} from "./scene_cut.js";
import {blocksUnder, canvasTransform, halvingsFor} from "./warping.js";

/** Canvases by use and size, shared by all pictures of one engine. */
export class Canvases {
  constructor() {
    /** @type {Map<string, OffscreenCanvasRenderingContext2D>} */
    this._contexts = new Map();
  }

  /**
   * @param {string} use what it is for: one canvas of each use
   * @param {number} width
   * @param {number} height
   * @returns {OffscreenCanvasRenderingContext2D} black, without a transform, bilinear
   */
  black(use, width, height) {
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
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low"; // bilinear
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
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
    this._source = source;
    this._canvases = canvases;
    /** @type {number} pixels */
    this.width = "displayWidth" in source ? source.displayWidth : source.width;
    /** @type {number} pixels */
    this.height = "displayHeight" in source ? source.displayHeight : source.height;
  }

  /** @returns {Uint8ClampedArray} RGBA samples for `SceneCut` */
  samples() {
    const {columns, rows, stepX, stepY} = sceneGrid(this.width, this.height);
    const context = this._canvases.black("samples", columns, rows);
    // Without smoothing a canvas takes the pixel under the centre of each of its own: the middle one of a step.
    context.imageSmoothingEnabled = false;
    context.setTransform(1 / stepX, 0, 0, 1 / stepY, 0, 0);
    context.drawImage(this._source, 0, 0, this.width, this.height);
    return context.getImageData(0, 0, columns, rows).data;
  }

  /**
   * @param {import("./geometry.js").Matrix} matrix
   * @param {number} size
   * @returns {Uint8ClampedArray} RGBA of the (size, size) crop; black beyond the picture
   */
  crop(matrix, size) {
    const halvings = halvingsFor(matrix);
    const blocks = halvings ? blocksUnder(matrix, size, this.width, this.height, halvings) : null;
    const source = blocks ? this._halved(blocks, halvings) : this._source;
    const context = this._canvases.black("crop", size, size);
    context.setTransform(...canvasTransform(blocks ? blocks.matrix : matrix));
    if (blocks) context.drawImage(source, 0, 0);
    else context.drawImage(source, 0, 0, this.width, this.height);
    return context.getImageData(0, 0, size, size).data;
  }

  /**
   * @param {[number, number, number, number]} region x0, y0, x1, y1 in whole pixels
   * @param {number} width of the copy
   * @param {number} height of the copy
   * @param {number} paddedWidth of the canvas: the copy lies in its upper left corner
   * @param {number} paddedHeight
   * @returns {Uint8ClampedArray} RGBA of the canvas
   */
  reduced([x0, y0, x1, y1], width, height, paddedWidth, paddedHeight) {
    const reduction = Math.max((x1 - x0) / width, (y1 - y0) / height);
    const halvings = reduction > detector.linearReduction ? Math.floor(Math.log2(reduction)) : 0;
    const factor = 2 ** halvings;
    const [columns, rows] = [Math.floor((x1 - x0) / factor), Math.floor((y1 - y0) / factor)];
    const halved = halvings ? this._halved({x: x0, y: y0, columns, rows}, halvings) : null;
    const context = this._canvases.black("reduced", paddedWidth, paddedHeight);
    if (halved) context.drawImage(halved, 0, 0, columns, rows, 0, 0, width, height);
    else context.drawImage(this._source, x0, y0, x1 - x0, y1 - y0, 0, 0, width, height);
    return context.getImageData(0, 0, paddedWidth, paddedHeight).data;
  }

  /** @returns {OffscreenCanvas} the averages of blocks of 2 ** halvings pixels */
  _halved({x, y, columns, rows}, halvings) {
    let factor = 2 ** halvings;
    let source = this._source;
    let [left, top] = [x, y];
    for (let step = 0; step < halvings; step++) {
      factor /= 2;
      const context = this._canvases.black(`halved ${step % 2}`, columns * factor, rows * factor);
      // At half the size bilinear means the mean of two by two pixels.
      context.drawImage(
        source, left, top, 2 * columns * factor, 2 * rows * factor, 0, 0, columns * factor, rows * factor,
      );
      source = context.canvas;
      left = top = 0;
    }
    return /** @type {OffscreenCanvas} */ (source);
  }
}

/**
 * RGBA bytes as the planes B, G, R of a network's input.
 *
 * @param {Uint8ClampedArray} pixels
 * @param {Float32Array} planes three planes of one value per pixel, from `start` on
 * @param {number} start
 */
export function toPlanes(pixels, planes, start = 0) {
  const count = pixels.length / 4;
  for (let i = 0, j = start; i < pixels.length; i += 4, j++) {
    planes[j] = pixels[i + 2];
    planes[j + count] = pixels[i + 1];
    planes[j + 2 * count] = pixels[i];
  }
}
