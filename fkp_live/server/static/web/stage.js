/** The picture on the page: a frame is held until its faces are known, so that both are painted together. */

import { drawFaces } from "../common/overlay.js";

/** Pixels of the longer side of what is painted; larger pictures are shown reduced. */
const LARGEST = 1920;

export class Stage {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    /**
     * The picture that is painted: a frame, or a copy of a bitmap on one of the canvases, with its own size, the size that
     * it is painted in, and pixels of that per pixel of its own.
     * @type {{image: VideoFrame|HTMLCanvasElement, whole: number[], size: number[], scale: number}|null}
     */
    this.shown = null;
    /** Those that are with the networks, in their order. */
    this.held = [];
    /** For the picture that is painted, and the two at most that are with the networks. */
    this.copies = Array.from({ length: 3 }, () => document.createElement("canvas"));
    this.faces = [];
    /** The next time that the page is drawn, where it is to be painted then. */
    this.asked = null;
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
    const whole = sizeOf(picture);
    const scale = Math.min(1, LARGEST / Math.max(...whole));
    const size = whole.map((side) => Math.max(1, Math.round(side * scale)));
    // A clone has the same pixels, at no cost.
    this.held.push({ image: picture.clone?.() ?? this.copy(picture, size), whole, size, scale });
  }

  copy(picture, size) {
    const taken = [this.shown, ...this.held].map((each) => each?.image);
    const canvas = this.copies.find((each) => !taken.includes(each));
    resize(canvas, size);
    canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0, ...size);
    return canvas;
  }

  /** From now on the picture is painted that was held first. */
  advance() {
    if (!this.held.length) return;
    close(this.shown);
    this.shown = this.held.shift();
  }

  /** Pictures that were held are not painted any more. */
  forget() {
    this.held.forEach(close);
    this.held = [];
  }

  /** Give frames back to the camera, which has few. What is painted stays. */
  release() {
    this.forget();
    close(this.shown);
    this.shown = null;
  }

  /**
   * Paint the picture with these faces when the page is drawn next, which may be after another picture came.
   * @param {object[]} faces omitted: those that were painted last
   */
  paint(faces = this.faces) {
    this.faces = faces;
    this.asked ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.asked);
    this.asked = null;
    if (!this.shown) return;
    const { canvas, context, layers, mirrored } = this;
    const { image, size, scale } = this.shown;
    resize(canvas, size);
    context.save();
    if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(image, 0, 0, ...size);
    context.restore();
    const ratio = Math.max(canvas.width / (this.room[0] || canvas.width), canvas.height / (this.room[1] || canvas.height));
    drawFaces(context, this.faces, layers, scale, mirrored, ratio);
  }

  /** What is painted, as PNG. */
  picture() {
    this.draw();
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}

function close(picture) {
  picture?.image.close?.();
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
