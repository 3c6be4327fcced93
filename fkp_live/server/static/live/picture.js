/** The picture on its canvas, with the overlay painted on exactly that frame. */

import { drawFaces } from "../common/overlay.js";

/** Most pixels of the canvas along its longer side. */
const LARGEST = 1920;
/** Pixels of the page's height that controls and figures need. */
const ROOM = 260;

export class Picture {
  /**
   * @param {HTMLElement} view holds the canvas
   * @param {HTMLCanvasElement} canvas
   * @param {() => Set<string>} layers that are to be painted
   */
  constructor(view, canvas, layers) {
    this.view = view;
    this.canvas = canvas;
    this.layers = layers;
    this.context = canvas.getContext("2d", { alpha: false });
    this.bitmap = null;
    new ResizeObserver(() => this.paint()).observe(view);
    addEventListener("resize", () => this.paint());
  }

  /**
   * Show a frame. Its bitmap is kept until the next one, to be painted with other layers or at another size.
   * @param {Blob} jpeg
   * @param {object[]} faces in pixels of the source
   * @param {number} width of the source in pixels
   * @param {boolean} mirrored whether it is to be turned left to right
   */
  async show(jpeg, faces, width, mirrored) {
    const bitmap = await createImageBitmap(jpeg);
    this.bitmap?.close();
    Object.assign(this, { bitmap, faces, width, mirrored });
    this.paint();
  }

  paint() {
    if (!this.bitmap) return;
    const { canvas, context, bitmap } = this;
    const ratio = this.fit(bitmap.width, bitmap.height);
    if (this.mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    context.resetTransform();
    drawFaces(context, this.faces, this.layers(), canvas.width / this.width, this.mirrored, ratio);
  }

  /** Give the canvas as many pixels as it has on the screen; how many are a pixel of the page. */
  fit(width, height) {
    const highest = document.fullscreenElement ? innerHeight : Math.max(innerHeight - ROOM, 0.6 * innerHeight);
    const scale = Math.min(this.view.clientWidth / width, highest / height);
    const ratio = Math.min(devicePixelRatio, LARGEST / (scale * Math.max(width, height)));
    const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(scale * side)));
    const [columns, rows] = [wide, high].map((side) => Math.max(1, Math.round(ratio * side)));
    // Setting a size clears the canvas, also where it stays the same.
    if (this.canvas.width !== columns || this.canvas.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.canvas.style.width = `${wide}px`;
      this.canvas.style.height = `${high}px`;
    }
    return ratio;
  }
}
