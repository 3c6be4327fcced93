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
     * The picture that is with the networks, and the one that is painted: a frame, or a copy of a bitmap on one of two
     * canvases, with the size that it is painted in and pixels of it per pixel of the picture.
     * @type {{image: VideoFrame|HTMLCanvasElement, size: number[], scale: number}|null}
     */
    this.held = this.shown = null;
    this.copies = [document.createElement("canvas"), document.createElement("canvas")];
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
    const scale = Math.min(1, LARGEST / Math.max(width, height));
    const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    close(this.held);
    // A clone has the same pixels, at no cost.
    this.held = { image: picture.clone?.() ?? this.copy(picture, size), size, scale };
  }

  copy(picture, size) {
    const canvas = this.copies.find((each) => each !== this.shown?.image);
    resize(canvas, size);
    canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0, ...size);
    return canvas;
  }

  /** From now on the picture that was held is painted, and another one can be held. */
  advance() {
    if (!this.held) return;
    close(this.shown);
    [this.shown, this.held] = [this.held, null];
  }

  /** Give frames back to the camera, which has few. What is painted stays. */
  release() {
    close(this.held);
    close(this.shown);
    this.held = this.shown = null;
  }

  /** Paint the picture with these faces; omitted: those that were painted last. */
  paint(faces = this.faces) {
    if (!this.shown) return;
    this.faces = faces;
    const { canvas, context, layers, mirrored } = this;
    const { image, size, scale } = this.shown;
    resize(canvas, size);
    context.save();
    if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(image, 0, 0, ...size);
    context.restore();
    const ratio = Math.max(canvas.width / (this.room[0] || canvas.width), canvas.height / (this.room[1] || canvas.height));
    drawFaces(context, faces, layers, scale, mirrored, ratio);
  }

  /** What is painted, as PNG. */
  picture() {
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
