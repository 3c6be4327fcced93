/** Head pose, and the confidence of points that a turned head hides, as head_pose.py and hidden_points.py. */

import {hidden, pose as map} from "./constants.js";
import {ownTurn} from "./geometry.js";

/**
 * @typedef {object} Pose radians; sd: how far off the angle may be
 * @property {number} pitch
 * @property {number} yaw
 * @property {number} roll
 * @property {number} pitchSd
 * @property {number} yawSd
 * @property {number} rollSd
 */

/** @param {Float32Array} points pixels @returns {Pose} all angles zero if the points coincide */
export function headPose(points) {
  const count = points.length / 2;
  const middle = [0, 0];
  points.forEach((value, i) => (middle[i % 2] += value / count));
  const shape = Float64Array.from(points, (value, i) => value - middle[i % 2]);
  // The complex product of the mean face, conjugated, and the shape: their turn and relative size.
  let [ontoX, ontoY] = [0, 0];
  for (let i = 0; i < shape.length; i += 2) {
    ontoX += map.mean[i] * shape[i] + map.mean[i + 1] * shape[i + 1];
    ontoY += map.mean[i] * shape[i + 1] - map.mean[i + 1] * shape[i];
  }
  const square = ontoX * ontoX + ontoY * ontoY;
  if (!(Math.sqrt(square) >= 1e-9)) {
    return {pitch: 0, yaw: 0, roll: 0, pitchSd: map.mostSd, yawSd: map.mostSd, rollSd: map.mostSd};
  }
  for (let i = 0; i < shape.length; i += 2) {
    const [x, y] = [shape[i], shape[i + 1]];
    shape[i] = (x * ontoX + y * ontoY) / square - map.mean[i];
    shape[i + 1] = (y * ontoX - x * ontoY) / square - map.mean[i + 1];
  }
  const weighed = new Float64Array(6);
  features(map.components.map((row) => dot(row, shape))).forEach((value, i) => {
    map.weights[i].forEach((weight, k) => (weighed[k] += weight * value));
  });
  const rows = [weighed.subarray(0, 3), weighed.subarray(3, 6)];
  const unsure = spreadFeatures(...rows);
  const [pitchSd, yawSd, rollSd] = [0, 1, 2].map((k) => {
    const log = unsure.reduce((sum, value, i) => sum + value * map.spread[i][k], 0);
    return Math.min(Math.max(Math.exp(Math.min(log, 9)), map.leastSd), map.mostSd);
  });
  return {...angles(...orthogonal(...rows), Math.atan2(ontoY, ontoX)), pitchSd, yawSd, rollSd};
}

/** As features of head_pose.py. */
function features(values) {
  const first = values.slice(0, map.multiplied);
  const length = Math.sqrt(1 + dot(first, first));
  const bounded = first.map((value) => value / length);
  return [1, ...values, ...bounded.flatMap((value, i) => bounded.slice(i).map((other) => value * other))];
}

/** As angles of head_pose.py. */
function angles(first, second, turn) {
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const [a, b, c] = first.map((value, i) => cos * value - sin * second[i]);
  const [d, e, f] = second.map((value, i) => sin * first[i] + cos * value);
  const [g, h, deep] = [b * f - c * e, c * d - a * f, a * e - b * d];
  const yaw = -Math.atan2(c, Math.hypot(f, deep));
  const {profile} = map;
  const pitch = Math.atan2(f, deep > profile ? deep : profile / 2 + Math.max(deep, 0) ** 2 / (2 * profile));
  const [cosX, sinX, cosY, sinY] = [Math.cos(pitch), -Math.sin(pitch), Math.cos(yaw), -Math.sin(yaw)];
  const [along, across] = [[a, d, g], [b, e, h]].map(([x, y, z]) => cosY * x + sinX * sinY * y - cosX * sinY * z);
  return {pitch, yaw, roll: Math.atan2(cosX * d + sinX * g - across, along + cosX * e + sinX * h)};
}

function dot(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i += 1) sum += one[i] * other[i];
  return sum;
}

/** The orthogonal directions of length 1 that lie nearest to two directions, neither of which is preferred. */
function orthogonal(first, second) {
  const [one, other] = [unit(first), unit(second)];
  const middle = unit(one.map((value, i) => value + other[i]));
  const across = unit(one.map((value, i) => value - other[i]));
  const half = Math.sqrt(0.5);
  return [
    middle.map((value, i) => (value + across[i]) * half),
    middle.map((value, i) => (value - across[i]) * half),
  ];
}

function unit(vector) {
  const length = Math.max(Math.sqrt(dot(vector, vector)), 1e-12);
  return Array.from(vector, (value) => value / length);
}

/** As spread_features of head_pose.py. */
function spreadFeatures(first, second) {
  const [[p, q], [r, s]] = orthogonal(first, second);
  const away = 1 - (p * s - q * r);
  const lengths = Math.abs(dot(first, first) - 1) + Math.abs(dot(second, second) - 1);
  const off = lengths + 2 * Math.abs(dot(first, second));
  return [1, away, away * away, off, off * away];
}

/**
 * @param {Float32Array} confidence of the points
 * @param {Pose} pose of the head
 * @param {number} knowsTurned how much of the network learnt from turned faces, 0 to 1
 * @returns {Float32Array} lower where its turn hides them
 */
export function seenConfidence(confidence, pose, knowsTurned) {
  const yaw = ownTurn(pose);
  if (!(Math.abs(yaw) > hidden.from)) return confidence; // NaN too
  const share = (Math.abs(yaw) - hidden.hiddenFrom) / (hidden.full - hidden.hiddenFrom);
  const force = Math.min(Math.max(share, 0), 1);
  return confidence.map((value, i) => {
    // The table is of a head that turns to its own left.
    const point = yaw < 0 ? hidden.mirror[i] : i;
    const [start, slope] = hidden.logOdds[point];
    const oftener = Math.exp(-(1 - knowsTurned) * hidden.slopes[point] * (Math.abs(yaw) - hidden.from));
    return value * (1 - force / (1 + Math.exp(-(start + slope * Math.abs(yaw))))) * oftener;
  });
}
