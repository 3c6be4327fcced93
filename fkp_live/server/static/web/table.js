/** Rows of CSV from JSONL frame objects: the cells that `fkp_live/sinks/csv.py` writes. */

const PIXEL = 2, SHARE = 3, ANGLE = 4, TIME = 6;
// As recorded.SUREST in Python.
const SUREST = 45;
const MEASURED = ["right_eye_open", "left_eye_open", "mouth_open", "eyes_open"];

/**
 * The rows of a frame as text, one for each face, or the one of a frame without a face.
 * @param {object} result JSONL frame object
 * @param {string[]} columns names, in order
 * @param {number} leastSuccess mean confidence of the surest points from which `success` is 1
 */
export function rows(result, columns, leastSuccess) {
  const head = { frame: String(result.frame + 1), timestamp: result.time.toFixed(TIME) };
  const cells = result.faces.map((face, place) => ({ ...head, ...ofFace(face, place, leastSuccess, columns) }));
  if (!cells.length) cells.push({ ...head, face_id: "-1", success: "0" });
  return cells.map((row) => columns.map((name) => row[name] ?? "").join(",") + "\n").join("");
}

/** The cells of a face by the names of their columns. */
function ofFace(face, place, leastSuccess, columns) {
  const surest = [...face.confidence].sort((a, b) => b - a).slice(0, SUREST);
  const cells = {
    face_id: String(face.id ?? place),
    confidence: fixed(mean(face.confidence), SHARE),
    success: Number(mean(surest).toFixed(SHARE)) >= leastSuccess ? "1" : "0",
    score: fixed(face.score, SHARE)
  };
  // OpenFace's signs: x to the right, y down, z away from the camera.
  if (face.pose) {
    cells.pose_Rx = fixed(negated(face.pose.pitch), ANGLE);
    cells.pose_Ry = fixed(negated(face.pose.yaw), ANGLE);
    cells.pose_Rz = fixed(face.pose.roll, ANGLE);
  }
  ["x0", "y0", "x1", "y1"].forEach((side, i) => { cells[`box_${side}`] = fixed(face.box[i], PIXEL); });
  for (const [prefix, points] of [["", face.points], ["raw_", face.raw ?? []]]) {
    points.forEach(([x, y], i) => {
      cells[`${prefix}x_${i}`] = fixed(x, PIXEL);
      cells[`${prefix}y_${i}`] = fixed(y, PIXEL);
    });
  }
  if (face.expression) expressed(cells, face.expression, columns);
  if (face.measures) measured(cells, face.measures);
  return cells;
}

/** The label is written as its place among the columns of probabilities, which follow it. */
function expressed(cells, { label, probabilities }, columns) {
  cells.expression = String(columns.indexOf(`expression_${label}`) - columns.indexOf("expression") - 1);
  for (const [name, share] of Object.entries(probabilities)) cells[`expression_${name}`] = fixed(share, SHARE);
}

function measured(cells, { blink, relative, arkit, ...values }) {
  cells.blink = blink ? "1" : "0";
  for (const name of MEASURED) cells[name] = fixed(values[name], SHARE);
  for (const [name, value] of Object.entries(values)) cells[name] ??= fixed(value, SHARE);
  for (const [name, value] of Object.entries(relative ?? {})) cells[`${name}_rel`] = fixed(value, SHARE);
  for (const [name, value] of Object.entries(arkit ?? {})) cells[`arkit_${name}`] = fixed(value, SHARE);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A number with this many decimals; an empty cell for null and what is not finite. */
function fixed(value, decimals) {
  return Number.isFinite(value) ? value.toFixed(decimals) : "";
}

function negated(value) {
  return value === null || value === undefined ? null : -value + 0;
}
