/**
 * The overlay: the layers of every face, painted on a canvas as `fkp_live/display` paints them.
 *
 * Nothing here keeps state between pictures, and strokes of a kind are one path.
 */

import * as look from "./look.js";
import { CONTOURS, NOSE_TIP } from "./topology.js";

/** The parts of a face, in the order of the keys 1 to 7; `label` is for people. */
export const LAYERS = [
  { name: "points", label: "Points", usual: true },
  { name: "contours", label: "Contours", usual: true },
  { name: "boxes", label: "Boxes", usual: true },
  { name: "ids", label: "Ids", usual: true },
  { name: "pose", label: "Pose", usual: false },
  { name: "measures", label: "Measures", usual: false },
  { name: "expression", label: "Expression", usual: true }
];

/**
 * Paint faces on a canvas that shows the whole picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {object[]} faces of a JSONL frame object, in pixels of the source
 * @param {Set<string>} layers names of `LAYERS` that are painted
 * @param {number} scale pixels of the canvas per pixel of the source
 * @param {boolean} mirrored whether the picture is turned left to right
 * @param {number} ratio pixels of the canvas per pixel of the page, so that text stays readable
 */
export function drawFaces(context, faces, layers, scale, mirrored = false, ratio = 1) {
  const pen = new Pen(context, ratio);
  context.save();
  context.lineCap = context.lineJoin = "round";
  faces.forEach((each, order) => {
    const face = placed(each, scale, mirrored ? context.canvas.width : null);
    if (!face) return; // a recording may hold anything
    const colour = look.faceColour(each, order);
    const around = boxAround(face.box, face.size);
    if (layers.has("boxes")) paintBox(pen, around, face.size, colour);
    if (layers.has("contours")) paintContours(pen, face, colour);
    if (layers.has("points")) paintPoints(pen, face);
    if (layers.has("pose") && face.pose) paintPose(pen, face);
    if (layers.has("ids") && each.id != null) {
      pen.text(`#${each.id}`, around[0], above(pen, around, face.size), pen.label(face.size / 10), colour);
    }
    const label = each.expression?.label;
    if (layers.has("expression") && label) paintExpression(pen, label, around, face.size, colour);
    if (layers.has("measures") && each.measures) paintMeasures(pen, each.measures, around, face.size, colour);
  });
  context.restore();
}

/** The face in pixels of the canvas, corners of pixels at whole numbers; null where numbers are missing or absurd. */
function placed(face, scale, mirror) {
  const x = (value) => (mirror === null ? (value + 0.5) * scale : mirror - (value + 0.5) * scale);
  const y = (value) => (value + 0.5) * scale;
  const numbers = [face.box, ...(face.points ?? [null])].flat();
  if (!numbers.every(Number.isFinite)) return null;
  const [left, top, right, bottom] = face.box;
  const size = Math.max(right - left, bottom - top) * scale;
  if (!(size < look.LARGEST)) return null;
  const points = face.points.map((point) => [x(point[0]), y(point[1])]);
  const sides = mirror === null ? [left, right] : [right, left];
  const box = [x(sides[0]), y(top), x(sides[1]), y(bottom)];
  const pose = turned(face.pose, mirror === null ? 1 : -1);
  return { points, box, size, pose, confidence: face.confidence ?? points.map(() => 1) };
}

/** The pose in a picture that is turned left to right where `turn` is -1; null where numbers are missing. */
function turned(pose, turn) {
  if (!pose || ![pose.pitch, pose.yaw, pose.roll].every(Number.isFinite)) return null;
  return { pitch: pose.pitch, yaw: turn * pose.yaw, roll: turn * pose.roll };
}

/** The box with air around it, in whole pixels of a coarse grid, so that it rests while the face hardly moves. */
function boxAround([x0, y0, x1, y1], size) {
  const grid = Math.max(1, Math.round(look.GRID * size)), air = look.AIR * size;
  return [x0 - air, y0 - air, x1 + air, y1 + air].map((side) => grid * Math.round((side - 0.5) / grid));
}

function paintBox(pen, [x0, y0, x1, y1], size, colour) {
  const length = Math.round(look.CORNER * size);
  pen.stroke(colour, pen.straight(size), (path) => {
    for (const [x, dx] of [[x0 + 0.5, length], [x1 + 0.5, -length]]) {
      for (const [y, dy] of [[y0 + 0.5, length], [y1 + 0.5, -length]]) {
        path.moveTo(x + dx, y);
        path.lineTo(x, y);
        path.lineTo(x, y + dy);
      }
    }
  });
}

/** Lines along jaw, brows, nose, eyes and lips, except between points of which either is a guess. */
function paintContours(pen, { points, confidence, size }, colour) {
  pen.stroke(colour, pen.smooth(size), (path) => {
    for (const [, numbers, closed] of CONTOURS) {
      let certain = false;
      for (const number of closed ? [...numbers, numbers[0]] : numbers) {
        const known = confidence[number] >= look.LIMITS[0];
        if (known && certain) path.lineTo(...points[number]);
        else if (known) path.moveTo(...points[number]);
        certain = known;
      }
    }
  });
}

/** All points, white where they are certain, darker the less they are, and smaller where they are guesses. */
function paintPoints(pen, { points, confidence, size }) {
  const width = Math.max(2 * pen.thin, Math.round(size / 75));
  // The certain ones last, on top.
  look.FADE.forEach((colour, step) => {
    const chosen = points.filter((_, number) => stepOf(confidence[number]) === step);
    if (!chosen.length) return;
    const wide = step ? width : Math.max(2 * pen.thin, width - pen.thin);
    // OpenCV's dots are a pixel wider than they should be.
    pen.dots(chosen, look.css(colour), size < look.DOTTED * pen.thin ? null : wide + 1);
  });
}

function stepOf(confidence) {
  return look.LIMITS.filter((limit) => confidence >= limit).length;
}

/** Three axes at the tip of the nose: to the right (red), down (green), where the face looks (blue). */
function paintPose(pen, { points, pose, size }) {
  const [x, y] = points[NOSE_TIP];
  // Wider than contours.
  const width = pen.smooth(Math.max(1.5 * size, look.DOTTED));
  headAxes(pose).forEach(([dx, dy], place) => {
    pen.stroke(look.css(look.AXES[place]), width, (path) => {
      path.moveTo(x, y);
      path.lineTo(x + look.AXIS * size * dx, y + look.AXIS * size * dy);
    });
  });
}

/** Where the head's own axes point in the picture: its right-hand side, its chin, its nose; as `layers.head_axes`. */
export function headAxes({ pitch, yaw, roll }) {
  const [sinPitch, cosPitch, sinYaw, cosYaw] = [Math.sin(pitch), Math.cos(pitch), Math.sin(yaw), Math.cos(yaw)];
  const [sinRoll, cosRoll] = [Math.sin(roll), Math.cos(roll)];
  const upright = [[cosYaw, 0], [sinPitch * sinYaw, cosPitch], [cosPitch * sinYaw, -sinPitch]];
  return upright.map(([x, y]) => [x * cosRoll - y * sinRoll, x * sinRoll + y * cosRoll]);
}

/** Where the texts above a box begin. */
function above(pen, box, size) {
  return Math.round(box[1] - 1.7 * pen.label(size / 10));
}

/** The label above the box, at its right end, where the id of the track is not. */
function paintExpression(pen, label, box, size, colour) {
  const height = pen.label(size / 10);
  pen.text(label, Math.max(box[2] - pen.textWidth(label, height), 0), above(pen, box, size), height, colour);
}

/** Three bars below the box: how far the eyes and the mouth are open. In a blink those of the eyes are orange. */
function paintMeasures(pen, found, box, size, colour) {
  const eyes = found.blink ? look.css(look.SHUT) : colour;
  const bars = [
    ["right eye", found.right_eye_open / look.FULL_EYE, eyes],
    ["left eye", found.left_eye_open / look.FULL_EYE, eyes],
    ["mouth", found.mouth_open / look.FULL_MOUTH, colour]
  ];
  const height = pen.label(size / 16), row = pen.row(height), length = 6 * height;
  const indent = Math.max(...bars.map(([label]) => pen.textWidth(label, height)));
  const x = Math.max(0, Math.min(box[0], pen.right - indent - length));
  let y = Math.max(0, Math.min(box[3] + height / 2, pen.bottom - 3 * row));
  for (const [label, share, tint] of bars) {
    pen.fill(x, y, indent + length, row, look.css(look.PANEL));
    pen.text(label, x, y, height, look.css(look.CORE));
    const full = Math.min(Math.max(0, share || 0), 1); // 0 for null too
    pen.fill(x + indent, y + row / 4, full * (length - height / 2), row / 2, tint);
    y += row;
  }
}

/** How strokes, dots and text come onto a canvas; sizes are in its pixels. */
class Pen {
  constructor(context, ratio) {
    this.context = context;
    // The thinnest stroke; where pixels are small a face has room for finer ones.
    this.thin = Math.max(1, 0.6 * ratio);
    this.right = context.canvas.width;
    this.bottom = context.canvas.height;
    const side = Math.min(this.right, this.bottom);
    this.least = ratio * (side < 240 * ratio ? 8 : 11);
    this.usual = Math.max(this.least, Math.round(side / 38));
  }

  /** Width that the lines of a face of `size` pixels should have. */
  width(size) {
    return Math.max(this.thin, Math.round(size / 220));
  }

  /** Width of lines along rows and columns: OpenCV's of 1, 2, 3 and 4 pixels have 1, 3, 5 and 5. */
  straight(size) {
    const width = this.width(size);
    return width < 1.5 ? 1 : 2 * Math.ceil(width / 2) + 1;
  }

  /** Width of lines that run in any direction: OpenCV's of 1, 2 and 4 pixels cover 1.35, 3.4 and 5.4. */
  smooth(size) {
    const width = this.width(size);
    return width + (width < 2 ? 0.35 : 1.4);
  }

  /** Height of a label of which `wanted` would be right for the face. */
  label(wanted) {
    return Math.floor(Math.min(Math.max(wanted, this.least), this.usual));
  }

  stroke(colour, width, along) {
    const path = new Path2D();
    along(path);
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.stroke(path);
  }

  /** Round dots `width` pixels wide, or of one pixel where it is null. */
  dots(points, colour, width) {
    const path = new Path2D();
    for (const [x, y] of points) {
      if (width === null) path.rect(Math.floor(x), Math.floor(y), this.thin, this.thin);
      else {
        path.moveTo(x + width / 2, y);
        path.arc(x, y, width / 2, 0, 2 * Math.PI);
      }
    }
    this.context.fillStyle = colour;
    this.context.fill(path);
  }

  fill(x, y, width, height, colour) {
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
  }

  /** Pixels that the plate of a text is high. */
  row(height) {
    return Math.round(1.7 * height);
  }

  /** Pixels that the plate of a text is wide; a capital is about 0.8 `height` high. */
  textWidth(text, height) {
    this.context.font = `${1.1 * height}px system-ui, sans-serif`;
    return Math.ceil(this.context.measureText(text).width + 0.7 * height);
  }

  /** Text on a dark plate with its upper left corner at x, y, moved into the picture. */
  text(text, x, y, height, colour) {
    const width = this.textWidth(text, height), row = this.row(height);
    const left = Math.max(0, Math.min(x, this.right - width)), top = Math.max(0, Math.min(y, this.bottom - row));
    this.fill(left, top, width, row, `rgb(0 0 0 / ${1 - look.PLATE})`);
    this.context.fillStyle = colour;
    this.context.textBaseline = "alphabetic";
    this.context.fillText(text, left + 0.35 * height, top + 1.2 * height);
  }
}
