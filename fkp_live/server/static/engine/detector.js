/** Face detection: YuNet on reduced copies of the picture, as fkp_live/faces/detector.py. */

import {detector, models} from "./constants.js";
import {iou} from "./geometry.js";
import {viewsFor} from "./views.js";

/**
 * @typedef {{box: Float32Array, score: number}} FaceBox box tight around the 68 points, frame pixels
 */

/** The shipped face detector. */
export class Detector {
  /** @param {import("./networks.js").Network} network */
  constructor(network) {
    this._network = network;
  }

  /**
   * @param {import("./picture.js").Picture} picture
   * @param {number | null} mostSize limit of the copy's longer side: that of streams, or null for single pictures
   * @returns {Promise<FaceBox[]>} best score first
   */
  async detect(picture, mostSize = detector.usualSize) {
    const found = [];
    for (const view of viewsFor(picture.width, picture.height, detector.usualFace, mostSize)) {
      const [width, height] = view.size.map((side) => Math.ceil(side / detector.multiple) * detector.multiple);
      const input = picture.reduced(view.region, ...view.size, width, height);
      const facts = models.yunet;
      const outputs = await this._network.run({[facts.input]: [input, [1, 3, height, width]]});
      found.push(...decode(outputs[facts.score], outputs[facts.box], width, height, view));
    }
    return suppressed(found).map(({box, score}) => ({box: landmarkBox(box), score}));
  }
}

/**
 * YuNet's own boxes in one view, overlapping ones included.
 *
 * @param {Float32Array} scores of the anchors
 * @param {Float32Array} boxes four numbers an anchor
 * @param {number} width of the network's input
 * @param {number} height of the network's input
 * @param {import("./views.js").View} view
 * @returns {FaceBox[]} frame pixels
 */
export function decode(scores, boxes, width, height, view) {
  const [x0, y0, x1, y1] = view.region;
  const factor = [(x1 - x0) / view.size[0], (y1 - y0) / view.size[1]];
  // YuNet counts from the edge of the first pixel, not from its centre.
  const corner = [x0 - 0.5, y0 - 0.5];
  const found = [];
  let anchor = 0;
  for (const stride of detector.strides) {
    const columns = Math.floor(width / stride);
    const count = columns * Math.floor(height / stride);
    for (let cell = 0; cell < count; cell++, anchor++) {
      if (!(scores[anchor] >= detector.score)) continue;
      const [dx, dy, w, h] = boxes.subarray(4 * anchor, 4 * anchor + 4);
      const centre = [((cell % columns) + dx) * stride, (Math.floor(cell / columns) + dy) * stride];
      const half = [(Math.exp(w) * stride) / 2, (Math.exp(h) * stride) / 2];
      const box = new Float32Array(4);
      for (const axis of [0, 1]) {
        box[axis] = (centre[axis] - half[axis]) * factor[axis] + corner[axis];
        box[axis + 2] = (centre[axis] + half[axis]) * factor[axis] + corner[axis];
      }
      if (isUsed(box, factor, view)) found.push({box, score: scores[anchor]});
    }
  }
  return found;
}

/** Whether a box (frame pixels) is one that this view answers for. */
function isUsed(box, factor, view) {
  const [left, top, right, bottom] = view.centres;
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const side = Math.max((box[2] - box[0]) / factor[0], (box[3] - box[1]) / factor[1]);
  return left <= x && x <= right && top <= y && y <= bottom && side <= view.largest;
}

/**
 * @param {FaceBox[]} found
 * @returns {FaceBox[]} best score first, without those that overlap a better one
 */
export function suppressed(found) {
  const kept = [];
  for (const each of [...found].sort((a, b) => b.score - a.score)) {
    if (kept.every((better) => iou(better.box, each.box) <= detector.overlap)) kept.push(each);
  }
  return kept;
}

/** @param {ArrayLike<number>} box YuNet's @returns {Float32Array} the box tight around the 68 points */
export function landmarkBox([x0, y0, x1, y1]) {
  const [width, height] = [x1 - x0, y1 - y0];
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2 + height * detector.centreDrop];
  const half = [(width * detector.widthRatio) / 2, (height * detector.heightRatio) / 2];
  return new Float32Array([x - half[0], y - half[1], x + half[0], y + half[1]]);
}
