/** Blend shapes with ARKit's names, as fkp_live/faces/blendshapes.py. */

import {shapes} from "./constants.js";

/**
 * @param {ArrayLike<number>} seen a face's parts
 * @param {ArrayLike<number>} usual its usual ones
 * @returns {number[]} value in [0, 1] of each shape, in the order of `shapes.names`
 */
export function shapesOf(seen, usual) {
  const off = Array.from(seen, (value, i) => value - usual[i]);
  // In shares of what is usual for the eye.
  for (const part of shapes.eyes) off[part] /= usual[part];
  for (const part of shapes.lids) off[part] /= Math.max(usual[part], 1e-3);
  const apart = Math.max(off[shapes.lipsApart], 0);
  const found = shapes.apart.map((share, i) => share * apart - shapes.begin[i]);
  for (const [row, column, share] of shapes.weights) found[row] += share * off[column];
  const values = found.map((value) => Math.min(Math.max(value, 0), 1));
  // A smile widens the mouth, too.
  for (const [smile, stretch] of shapes.mouthSides) values[stretch] *= 1 - values[smile];
  return values;
}
