/**
 * Pixels of the frames that come: RGBA in memory, where crops are cut without asking the browser again.
 *
 * VideoFrame.copyTo takes a third of the time of drawing a camera's frame on a canvas and reading it back. A canvas is
 * used where a browser cannot convert colours in copyTo, and for frames that are to be turned or stretched.
 */

import {Picture} from "./picture.js";

/** Reads one frame after the other into the same memory. */
export class FrameReader {
  constructor() {
    // Of the pictures that were read; one may be with another worker, and is without length then.
    this._buffer = this._spare = new ArrayBuffer(0);
    /** @type {OffscreenCanvasRenderingContext2D | null} */
    this._context = null;
    /** @type {Promise<boolean> | null} */
    this._converts = null;
  }

  /**
   * @param {ImageBitmap | VideoFrame} source closed by whoever made it
   * @returns {Promise<Picture>} until the next frame is read
   */
  async read(source) {
    const isFrame = "displayWidth" in source;
    const width = isFrame ? source.displayWidth : source.width;
    const height = isFrame ? source.displayHeight : source.height;
    if (!(width > 0 && height > 0)) throw new Error(`A frame of ${width} x ${height} pixels came.`);
    this._converts ??= convertsColours();
    if ((await this._converts) && (!isFrame || isAsShown(source))) {
      const frame = isFrame ? source : new VideoFrame(source, {timestamp: 0});
      try {
        return await this._copied(frame, width, height);
      } catch {
        // A form of frame that copyTo does not know.
      } finally {
        if (frame !== source) frame.close();
      }
    }
    return this._drawn(source, width, height);
  }

  /** @param {Uint32Array} pixels of a picture that was handed over, to be used again */
  takeBack(pixels) {
    this._spare = /** @type {ArrayBuffer} */ (pixels.buffer);
  }

  async _copied(frame, width, height) {
    const size = 4 * width * height;
    if (this._buffer.byteLength !== size) this._buffer = this._spare.byteLength === size ? this._spare : new ArrayBuffer(size);
    const [{offset, stride}, ...others] = await frame.copyTo(this._buffer, {format: "RGBA"});
    if (offset !== 0 || stride !== 4 * width || others.length > 0) throw new Error("The frame came in another form.");
    return new Picture(new Uint32Array(this._buffer), width, height);
  }

  _drawn(source, width, height) {
    this._context ??= new OffscreenCanvas(width, height).getContext("2d", {alpha: false, willReadFrequently: true});
    if (!this._context) throw new Error("This browser gives no canvas in a worker.");
    const {canvas} = this._context;
    // Setting a side clears the canvas and allocates it anew, also where it stays the same.
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    this._context.drawImage(source, 0, 0, width, height);
    return new Picture(new Uint32Array(this._context.getImageData(0, 0, width, height).data.buffer), width, height);
  }
}

/** Whether a frame's pixels are as people see them: not turned, mirrored or stretched. */
function isAsShown({visibleRect, displayWidth, displayHeight, rotation, flip}) {
  return !rotation && !flip && visibleRect?.width === displayWidth && visibleRect?.height === displayHeight;
}

/** Whether copyTo gives RGBA of a frame in another order; some browsers give the frame as it is. */
async function convertsColours() {
  if (typeof VideoFrame !== "function") return false;
  try {
    const pixels = new Uint8Array([10, 20, 30, 255, 10, 20, 30, 255, 10, 20, 30, 255, 10, 20, 30, 255]);
    const frame = new VideoFrame(pixels, {format: "BGRA", codedWidth: 2, codedHeight: 2, timestamp: 0});
    const copy = new Uint8Array(16);
    await frame.copyTo(copy, {format: "RGBA"});
    frame.close();
    return copy[0] === 30 && copy[1] === 20 && copy[2] === 10;
  } catch {
    return false;
  }
}
