/** The JSONL object of a frame, with the names and the rounding of fkp_live/sinks/jsonl.py. */

import {expressions, measures, recorded, shapes} from "./constants.js";
import {roundHalfEven} from "./geometry.js";

/**
 * @typedef {object} Face
 * @property {number | null} id null where nothing is tracked
 * @property {Float32Array} points frame pixels
 * @property {Float32Array} confidence
 * @property {Float32Array} box
 * @property {number} score
 * @property {Float32Array} raw points before smoothing
 * @property {import("./head_pose.js").Pose} pose
 * @property {import("./openness.js").Openness} openness
 * @property {import("./measures.js").Measures} measures
 * @property {import("./expressions.js").Expression | null} expression
 */

/**
 * @param {number} frame index, from 0
 * @param {number} time seconds
 * @param {boolean} detected whether the detector ran on this frame
 * @param {Face[]} faces
 * @returns {object}
 */
export function frameObject(frame, time, detected, faces) {
  return {frame, time: round(time, recorded.timeDecimals), detected, faces: faces.map(faceObject)};
}

/** @param {Face} face @returns {object} */
function faceObject(face) {
  const {pixelDecimals, shareDecimals, angleDecimals} = recorded;
  const {pose, openness} = face;
  const found = {
    id: face.id,
    box: rounded(face.box, pixelDecimals),
    score: round(face.score, shareDecimals),
    points: pairs(rounded(face.points, pixelDecimals)),
    confidence: rounded(face.confidence, shareDecimals),
    raw: pairs(rounded(face.raw, pixelDecimals)),
    pose: {
      pitch: round(pose.pitch, angleDecimals),
      yaw: round(pose.yaw, angleDecimals),
      roll: round(pose.roll, angleDecimals),
      pitch_sd: round(pose.pitchSd, angleDecimals),
      yaw_sd: round(pose.yawSd, angleDecimals),
      roll_sd: round(pose.rollSd, angleDecimals),
    },
    measures: {
      right_eye_open: round(openness.rightEyeOpen, shareDecimals),
      left_eye_open: round(openness.leftEyeOpen, shareDecimals),
      mouth_open: round(openness.mouthOpen, shareDecimals),
      blink: openness.blink,
      eyes_open: round(openness.eyesOpen, shareDecimals),
      ...named(measures.names, rounded(face.measures.values, shareDecimals)),
      relative: named(measures.names, rounded(face.measures.relative, shareDecimals)),
      arkit: named(shapes.names, rounded(face.measures.arkit, shareDecimals)),
    },
  };
  if (face.expression) {
    const {label, confidence, probabilities} = face.expression;
    found.expression = {
      label,
      confidence: round(confidence, shareDecimals),
      probabilities: named(expressions.names, probabilities.map((share) => round(share, shareDecimals))),
    };
  }
  return found;
}

const named = (names, values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));

/** As numpy's round: to the nearest after scaling, of two the even one. */
function rounded(values, decimals) {
  const factor = 10 ** decimals;
  return Array.from(values, (value) => {
    return Number.isFinite(value) ? roundHalfEven(value * factor) / factor + 0 : null;
  });
}

/**
 * As Python's round: by the exact decimal value of the number, of two the even one.
 *
 * @param {number} value
 * @param {number} decimals
 * @returns {number | null} null where it is not finite, as JSON has it
 */
export function round(value, decimals) {
  if (!Number.isFinite(value)) return null;
  const scaled = value * 10 ** decimals;
  // Of two, toFixed takes the larger one. Its digits are those of the exact value, however many are asked for.
  const beyond = () => value.toFixed(decimals + 40).split(".")[1].slice(decimals);
  const isTie = Math.abs(scaled % 1) === 0.5 && /^50*$/.test(beyond());
  // + 0 turns -0 into 0.
  return (isTie ? roundHalfEven(scaled) / 10 ** decimals : Number(value.toFixed(decimals))) + 0;
}

/** @returns {number[][]} x and y of each point */
function pairs(values) {
  const found = [];
  for (let i = 0; i < values.length; i += 2) found.push([values[i], values[i + 1]]);
  return found;
}
