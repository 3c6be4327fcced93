/** The list of faces: id, expression, confidence, head pose, eyes and mouth of each. A click chooses one. */

import { faceColour, FULL_EYE, FULL_MOUTH } from "./look.js";

/** Milliseconds between two changes of the numbers: faster ones cannot be read. */
const PACE = 150;
/** Milliseconds after which a chosen face that is gone is given up. */
const PATIENCE = 3000;
const DEGREES = 180 / Math.PI;
const DASH = "–";
/** Bars: name, key of the measure, openness at which it is full. */
const BARS = [
  ["R eye", "right_eye_open", FULL_EYE],
  ["L eye", "left_eye_open", FULL_EYE],
  ["mouth", "mouth_open", FULL_MOUTH]
];

export class FacesList {
  /** @param {HTMLElement} element is filled with the rows */
  constructor(element) {
    this.list = document.createElement("ul");
    this.list.className = "faces";
    this.none = document.createElement("p");
    this.none.className = "quiet";
    this.none.textContent = "No face in the picture.";
    element.append(this.none, this.list);
    this.rows = [];
    this.clear();
  }

  /** There is no picture, or one of another stream comes: nothing is said of faces. */
  clear() {
    this.none.hidden = true;
    this.list.replaceChildren();
    this.rows = [];
    this.chosen = null;
    this.seen = -Infinity;
    this.shown = -Infinity;
    /** The face whose curves are drawn: the chosen one, else the largest; null where there is none. */
    this.main = null;
  }

  /**
   * Show the faces of a frame.
   * @param {object[]} faces of a JSONL frame object, largest first
   */
  show(faces) {
    const now = performance.now();
    this.main = this.follow(faces, now);
    if (faces.length === this.rows.length && now - this.shown < PACE) return;
    this.shown = now;
    this.none.hidden = faces.length > 0;
    while (this.rows.length > faces.length) this.rows.pop().remove();
    while (this.rows.length < faces.length) {
      const row = new Row((id) => this.choose(id));
      this.rows.push(row);
      this.list.append(row.item);
    }
    // By id: which face is the largest may change with every frame.
    const sorted = faces.map((face, order) => ({ face, order })).sort((a, b) => a.face.id - b.face.id);
    sorted.forEach(({ face, order }, place) => this.rows[place].fill(face, order, face.id === this.chosen));
  }

  /** The face that is followed: the same one from frame to frame, as long as it is there. */
  follow(faces, now) {
    const found = faces.find((face) => face.id != null && face.id === this.chosen);
    if (found) this.seen = now;
    if (found || now - this.seen < PATIENCE) return found ?? null;
    this.chosen = faces[0]?.id ?? null;
    this.seen = this.chosen === null ? -Infinity : now;
    return faces[0] ?? null;
  }

  choose(id) {
    this.chosen = id;
    this.seen = performance.now();
    for (const row of this.rows) row.press(row.id === id);
  }
}

class Row {
  constructor(onChoose) {
    this.id = null;
    this.item = document.createElement("li");
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.title = "Draw the curves of this face";
    this.button.addEventListener("click", () => onChoose(this.id));
    for (const name of ["dot", "name", "label", "blink", "confidence"]) this[name] = span(name);
    this.angles = ["yaw", "pitch", "roll"].map((name) => ({ name, value: span("value") }));
    this.bars = BARS.map(([name, key, full]) => ({ name, key, full, value: span("value"), level: span("level") }));
    const head = span("head"), pose = span("pose"), open = span("open");
    head.append(this.dot, this.name, this.label, this.blink, this.confidence);
    for (const { name, value } of this.angles) pose.append(labelled(name, value));
    for (const { name, value, level } of this.bars) {
      const bar = span("bar");
      bar.append(level);
      open.append(labelled(name, value, bar));
    }
    this.button.append(head, pose, open);
    this.item.append(this.button);
  }

  fill(face, order, chosen) {
    this.id = face.id ?? null;
    this.press(chosen);
    const colour = faceColour(face, order);
    this.dot.style.backgroundColor = colour;
    write(this.name, face.id == null ? `Face ${order + 1}` : `#${face.id}`);
    write(this.label, face.expression ? `${face.expression.label} ${percent(face.expression.confidence)}` : "");
    write(this.blink, face.measures?.blink ? "eyes shut" : "");
    write(this.confidence, `confidence ${number(mean(face.confidence), 2)}`);
    for (const { name, value } of this.angles) {
      const angle = face.pose?.[name];
      write(value, Number.isFinite(angle) ? degrees(angle) : DASH);
    }
    for (const { key, full, value, level } of this.bars) {
      const open = face.measures?.[key];
      write(value, number(open, 2));
      level.style.transform = `scaleX(${Math.min(Math.max(open || 0, 0) / full, 1)})`;
      level.style.backgroundColor = colour;
    }
  }

  press(chosen) {
    this.button.setAttribute("aria-pressed", String(chosen));
  }

  remove() {
    this.item.remove();
  }
}

function span(className) {
  const made = document.createElement("span");
  made.className = className;
  return made;
}

function labelled(name, ...parts) {
  const whole = span("labelled");
  whole.append(`${name} `, ...parts);
  return whole;
}

/** Text that has not changed is left alone: the browser would lay out the row again. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mean(values) {
  const known = (values ?? []).filter(Number.isFinite);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : NaN;
}

function number(value, digits) {
  return Number.isFinite(value) ? value.toFixed(digits) : DASH;
}

function percent(share) {
  return Number.isFinite(share) ? `${Math.round(100 * share)} %` : "";
}

/** An angle in whole degrees with its sign, such as "+12°". */
function degrees(radians) {
  const whole = Math.round(radians * DEGREES);
  return `${whole > 0 ? "+" : whole < 0 ? "−" : ""}${Math.abs(whole)}°`;
}
