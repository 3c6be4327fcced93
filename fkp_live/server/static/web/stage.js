/** The picture on the page: a frame is held until its faces are known, so that both are painted together. */

import { drawFaces } from "../common/overlay.js";

/** Pixels of the longer side of what is painted; larger pictures are shown reduced. */
const LARGEST = 1920;

export class Stage {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    /** The picture that is painted next: a frame of a camera, or a copy of a bitmap. @type {VideoFrame|HTMLCanvasElement|null} */
    this.held = null;
    this.copy = document.createElement("canvas");
    this.size = [0, 0];
    this.scale = 1;
    this.faces = [];
    /** Names of the layers that are painted, and whether the picture is turned left to right, as in a mirror. */
    this.layers = new Set();
    this.mirrored = false;
    /** Width and height that the page gives the canvas. Asked for at each frame they would cost a layout. */
    this.room = [canvas.clientWidth, canvas.clientHeight];
    new ResizeObserver(() => { this.room = [canvas.clientWidth, canvas.clientHeight]; }).observe(canvas);
  }

  /**
   * Keep a picture that goes to the networks.
   * @param {VideoFrame|ImageBitmap} picture
   */
  hold(picture) {
    const [width, height] = sizeOf(picture);
    this.scale = Math.min(1, LARGEST / Math.max(width, height));
    this.size = [Math.max(1, Math.round(width * this.scale)), Math.max(1, Math.round(height * this.scale))];
    this.release();
    if (picture.clone) {
      this.held = picture.clone(); // the same pixels, at no cost
      return;
    }
    resize(this.copy, this.size);
    this.copy.getContext("2d", { alpha: false }).drawImage(picture, 0, 0, ...this.size);
    this.held = this.copy;
  }

  /** Give a frame back to the camera, which has few. What is painted stays. */
  release() {
    this.held?.close?.();
    this.held = null;
  }

  /** Paint the picture that is held, with these faces; omitted: those that were painted last. */
  paint(faces = this.faces) {
    if (!this.held) return;
    this.faces = faces;
    const { canvas, context, held, layers, mirrored, size } = this;
    resize(canvas, size);
    context.save();
    if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(held, 0, 0, ...size);
    context.restore();
    const ratio = Math.max(canvas.width / (this.room[0] || canvas.width), canvas.height / (this.room[1] || canvas.height));
    drawFaces(context, faces, layers, this.scale, mirrored, ratio);
  }

  /** What is painted, as PNG. */
  picture() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}

/** Width and height in pixels as a person sees them. */
export function sizeOf(picture) {
  return [picture.displayWidth ?? picture.width, picture.displayHeight ?? picture.height];
}

/** Setting the size empties a canvas, so only where it changes. */
function resize(canvas, [width, height]) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
