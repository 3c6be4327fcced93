/** Rates of the stream and times of the networks, over the last two seconds, and where the detector runs. */

/** In milliseconds: what the numbers are over, and how often they change on the page. */
const SPAN = 2000, PACE = 500;

export class Meters {
  /** @param {{size, fps, ms, detector, frames, dropped: HTMLElement}} elements */
  constructor(elements) {
    this.elements = elements;
    this.clear();
  }

  clear() {
    clearTimeout(this.timer);
    this.marks = [];
    this.shown = -Infinity;
    for (const element of Object.values(this.elements)) element.textContent = "–";
  }

  /**
   * The detector ran, or got a worker, or lost it.
   * @param {{kind: "detected"|"detector", ms?: number, isOwn: boolean, why?: string}} news
   */
  noteDetector({ kind, ms, isOwn, why }) {
    const { detector } = this.elements;
    if (kind === "detected") detector.textContent = `${ms.toFixed(0)} ms, ${isOwn ? "own" : "same"} worker`;
    else if (isOwn) detector.title = "Of a camera it looks at a frame while the next ones are answered";
    else detector.title = `It has no worker of its own: ${why}`;
  }

  /** No frame comes any more, or for a while: there is no rate. */
  rest() {
    this.marks = [];
    this.elements.fps.textContent = "–";
  }

  /**
   * A frame was painted.
   * @param {{size: number[], ms: number, frames: number, dropped: number}} numbers
   */
  add({ size, ms, frames, dropped }) {
    const now = performance.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rest(), SPAN);
    this.marks.push({ now, ms });
    while (now - this.marks[0].now > SPAN) this.marks.shift();
    if (now - this.shown < PACE) return;
    this.shown = now;
    const { elements, marks } = this;
    const seconds = (now - marks[0].now) / 1000;
    elements.size.textContent = size.join(" × ");
    elements.fps.textContent = marks.length > 5 ? ((marks.length - 1) / seconds).toFixed(0) : "–";
    elements.ms.textContent = `${(marks.reduce((sum, mark) => sum + mark.ms, 0) / marks.length).toFixed(1)} ms`;
    elements.frames.textContent = String(frames);
    elements.dropped.textContent = String(dropped);
  }
}
