/** Views of a picture that the detector runs on, as fkp_live/faces/detector_views.py: reduced copies and tiles. */

import {detector, views} from "./constants.js";
import {roundHalfEven} from "./geometry.js";

/**
 * @typedef {object} View one run of the detector
 * @property {[number, number, number, number]} region x0, y0, x1, y1 in whole pixels of the picture
 * @property {[number, number]} size width and height of its copy
 * @property {[number, number, number, number]} centres where the centres of the boxes lie that are used from it
 * @property {number} largest longer side of the largest box that is used, in pixels of the copy
 */

/**
 * @param {number} width of the picture
 * @param {number} height of the picture
 * @param {number} minFace longer side in pixels of the smallest face
 * @param {number | null} mostSize limit of the copy's longer side; null: none
 * @returns {View[]} the finest first
 */
export function viewsFor(width, height, minFace, mostSize) {
  const longer = Math.max(width, height);
  const coarse = Math.min(detector.workSize / longer, detector.maxEnlargement);
  const bound = mostSize === null ? detector.maxEnlargement : mostSize / longer;
  const fine = Math.min(detector.faceSide / minFace, detector.maxEnlargement, bound);
  return viewsOf(width, height, fine, coarse);
}

/**
 * @param {number} width
 * @param {number} height
 * @param {number} fine scale of the copy that shows the smallest faces
 * @param {number} coarse scale of the one that shows the largest faces, where the fine one cannot
 * @returns {View[]}
 */
function viewsOf(width, height, fine, coarse) {
  const longer = Math.max(width, height);
  const scales = [fine];
  const last = () => scales[scales.length - 1];
  while (last() * longer > views.tileSize) scales.push(last() / views.tileReduction);
  if (last() * longer > views.fineSize && last() > coarse) scales.push(coarse);
  const found = [];
  for (const scale of scales) {
    const [columns, rows] = [spans(width, scale), spans(height, scale)];
    const isTiled = columns.length * rows.length > 1;
    const largest = scale === last() ? Infinity : isTiled ? views.tileOverlap : views.largest;
    for (const [y0, y1, top, bottom] of rows) {
      for (const [x0, x1, left, right] of columns) {
        const copied = [x1 - x0, y1 - y0].map((side) => Math.max(roundHalfEven(side * scale), 1));
        found.push({region: [x0, y0, x1, y1], size: copied, centres: [left, top, right, bottom], largest});
      }
    }
  }
  return found;
}

/** @returns {[number, number, number, number][]} tiles along a side: start, end, first and last centre, in pixels */
function spans(side, scale) {
  if (side * scale <= views.tileSize) return [[0, side, -Infinity, Infinity]];
  const overlap = views.tileOverlap / scale;
  const count = Math.ceil((side - overlap) / (views.tileSize / scale - overlap));
  const length = (side + (count - 1) * overlap) / count;
  const starts = Array.from({length: count}, (_, i) => roundHalfEven(i * (length - overlap)));
  const ends = starts.map((start) => Math.min(start + Math.ceil(length), side));
  const between = ends.slice(0, -1).map((end, i) => (end + starts[i + 1]) / 2);
  const limits = [-Infinity, ...between, Infinity];
  const slack = views.slack / scale;
  return starts.map((start, i) => [start, ends[i], limits[i] - slack, limits[i + 1] + slack]);
}
