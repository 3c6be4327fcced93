/** The figures below the picture: frames per second, age, drops, faces, viewers. */

const NAMES = ["Stream", "Shown here", "Age", "Dropped", "Faces", "Viewers"];
/** Milliseconds between two changes: faster ones cannot be read. */
const PACE = 250;
/** Milliseconds over which frames shown here are counted. */
const SPAN = 2000;

export class Figures {
  /** @param {HTMLDListElement} element is filled with the figures */
  constructor(element) {
    this.values = Object.fromEntries(NAMES.map((name) => {
      const [row, term, value] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
      term.textContent = name;
      row.append(term, value);
      row.hidden = true;
      element.append(row);
      return [name, value];
    }));
    this.times = [];
    this.written = -Infinity;
  }

  /** Count a frame that was shown, with the server's state at that moment. */
  show(state, faces) {
    const now = performance.now();
    this.times.push(now);
    while (this.times[0] < now - SPAN) this.times.shift();
    if (now - this.written < PACE) return;
    this.written = now;
    const span = now - this.times[0];
    this.write("Stream", known(state.fps, (fps) => `${fps.toFixed(1)} fps`));
    this.write("Shown here", span > 0 ? `${((this.times.length - 1) / span * 1000).toFixed(1)} fps` : "–");
    this.write("Age", known(state.age_ms, (age) => `${Math.round(age)} ms`));
    this.write("Dropped", known(state.dropped, String));
    this.write("Faces", String(faces));
    this.write("Viewers", known(state.viewers, String));
  }

  /** No frame comes at the moment: what is counted by the second, or now, is not known. */
  rest() {
    this.times = [];
    this.written = -Infinity;
    for (const name of ["Stream", "Shown here", "Age", "Viewers"]) this.values[name].textContent = "–";
  }

  /** A figure that means nothing for this source is not shown. */
  write(name, text) {
    const value = this.values[name];
    value.parentElement.hidden = text === null;
    if (text !== null && value.textContent !== text) value.textContent = text;
  }
}

function known(value, say) {
  return Number.isFinite(value) ? say(value) : null;
}
