/**
 * Geometry of crops and boxes, as fkp_live/geometry.py.
 *
 * A matrix is [a, b, x, c, d, y]: an affine whose rows are (a, b, x) and (c, d, y), from frame pixels to crop pixels,
 * pixel centres at integers in both. Points are Float32Array(136), x and y in turn. A box is [x0, y0, x1, y1].
 *
 * @typedef {[number, number, number, number, number, number]} Matrix
 * @typedef {{size: number, margin: number}} CropSpec side of the crop in pixels; margin as a share of the box's side
 */

/** @param {CropSpec} spec @returns {number} longer side of the box in crop pixels */
export const faceSide = (spec) => spec.size / (1 + 2 * spec.margin);

/** @param {ArrayLike<number>} box @returns {number} its longer side in pixels */
export const sideOf = (box) => Math.max(box[2] - box[0], box[3] - box[1]);

/** @param {ArrayLike<number>} points @returns {Float32Array} the box tight around them */
export function boxOf(points) {
  const box = new Float32Array([Infinity, Infinity, -Infinity, -Infinity]);
  for (let i = 0; i < points.length; i += 2) {
    // Math.min and not "<", so that NaN spreads.
    box[0] = Math.min(box[0], points[i]);
    box[1] = Math.min(box[1], points[i + 1]);
    box[2] = Math.max(box[2], points[i]);
    box[3] = Math.max(box[3], points[i + 1]);
  }
  return box;
}

/**
 * The affine that takes the square around a box to the crop.
 *
 * @param {ArrayLike<number>} box
 * @param {CropSpec} spec
 * @param {number} angle radians; a face turned by it, clockwise as seen, is upright in the crop
 * @returns {Matrix}
 */
export function cropMatrix(box, spec, angle = 0) {
  const scale = faceSide(spec) / Math.max(sideOf(box), 1e-3);
  const centre = (spec.size - 1) / 2;
  const x = centre - (scale * (box[0] + box[2])) / 2;
  const y = centre - (scale * (box[1] + box[3])) / 2;
  if (!angle) return [scale, 0, x, 0, scale, y];
  const [c, s] = [Math.cos(-angle), Math.sin(-angle)];
  const turn = [c, -s, centre - (c - s) * centre, s, c, centre - (s + c) * centre];
  return compose(turn, [scale, 0, x, 0, scale, y]);
}

/** @param {Matrix} outer @param {Matrix} inner applied first @returns {Matrix} */
function compose(outer, inner) {
  const [a, b, x, c, d, y] = outer;
  const [e, f, u, g, h, v] = inner;
  return [a * e + b * g, a * f + b * h, a * u + b * v + x, c * e + d * g, c * f + d * h, c * u + d * v + y];
}

/** @param {Matrix} matrix @returns {Matrix} */
export function invert([a, b, x, c, d, y]) {
  const area = a * d - b * c;
  return [d / area, -b / area, (b * y - d * x) / area, -c / area, a / area, (c * x - a * y) / area];
}

/** @param {Matrix} matrix @param {ArrayLike<number>} points @returns {Float32Array} */
export function apply([a, b, x, c, d, y], points) {
  const moved = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    moved[i] = points[i] * a + points[i + 1] * b + x;
    moved[i + 1] = points[i] * c + points[i + 1] * d + y;
  }
  return moved;
}

/** @param {Matrix} matrix @returns {number} crop pixels per frame pixel */
export const scaleOf = ([a, b, , c, d]) => Math.sqrt(Math.abs(a * d - b * c));

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b @returns {number} intersection over union of two boxes */
export function iou(a, b) {
  const width = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const height = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const overlap = width * height;
  const areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]);
  return overlap / Math.max(areas - overlap, 1e-9);
}

/**
 * Rows x and y of the rotation of a head, see rotation_of in Python; the row z is not needed here.
 *
 * @param {{pitch: number, yaw: number, roll: number}} pose radians
 * @returns {[number, number, number, number, number, number]}
 */
export function rotationOf({pitch, yaw, roll}) {
  const [cx, sx, cy, sy] = [Math.cos(-pitch), Math.sin(-pitch), Math.cos(-yaw), Math.sin(-yaw)];
  const [cz, sz] = [Math.cos(roll), Math.sin(roll)];
  return [
    cy * cz, -cy * sz, sy,
    sx * sy * cz + cx * sz, cx * cz - sx * sy * sz, -sx * cy,
  ];
}

/** @param {{pitch: number, yaw: number, roll: number}} pose @returns {number} as the turn of own_turns in Python */
export function ownTurn(pose) {
  const [a, b, c, d, e, f] = rotationOf(pose);
  return Math.atan2(b * f - c * e, Math.hypot(a, d));
}

/** @param {number} angle radians @returns {number} the same in [-pi, pi], as Python's math.remainder(angle, tau) */
export function remainder(angle) {
  const tau = 2 * Math.PI;
  return angle - tau * roundHalfEven(angle / tau);
}

/** @param {number} value @returns {number} the nearest whole number, of two the even one */
export function roundHalfEven(value) {
  const whole = Math.round(value);
  return whole - value === 0.5 && whole % 2 !== 0 ? whole - 1 : whole;
}
