/** Head pose, and the confidence of points that a turned head hides, as head_pose.py and hidden_points.py. */

import {hidden, pose as map} from "./constants.js";
import {remainder} from "./geometry.js";

/** @typedef {{pitch: number, yaw: number, roll: number}} Pose radians */

/** @param {Float32Array} points pixels @returns {Pose} all zero if the points coincide */
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
  if (!(Math.sqrt(square) >= 1e-9)) return {pitch: 0, yaw: 0, roll: 0};
  for (let i = 0; i < shape.length; i += 2) {
    const [x, y] = [shape[i], shape[i + 1]];
    shape[i] = (x * ontoX + y * ontoY) / square - map.mean[i];
    shape[i + 1] = (y * ontoX - x * ontoY) / square - map.mean[i + 1];
  }
  const leading = map.components.map((row) => row.reduce((sum, weight, i) => sum + weight * shape[i], 0));
  const products = leading.flatMap((value, i) => leading.slice(i).map((other) => value * other));
  const features = [1, ...leading, ...products];
  const angles = [0, 1, 2].map((k) => features.reduce((sum, value, i) => sum + value * map.weights[i][k], 0));
  return {pitch: angles[0], yaw: angles[1], roll: remainder(Math.atan2(ontoY, ontoX) + angles[2])};
}

/**
 * @param {Float32Array} confidence of the points
 * @param {number} yaw of the head in radians
 * @returns {Float32Array} lower where this yaw hides them
 */
export function seenConfidence(confidence, yaw) {
  const force = Math.min((Math.abs(yaw) - hidden.from) / (hidden.full - hidden.from), 1);
  if (!(force > 0)) return confidence; // NaN too
  return confidence.map((value, i) => {
    // The table is of a head that turns to its own left.
    const [start, slope] = hidden.logOdds[yaw < 0 ? hidden.mirror[i] : i];
    return value * (1 - force / (1 + Math.exp(-(start + slope * Math.abs(yaw)))));
  });
}
