/** Curves of one face over the last seconds: head pose, eyes, mouth. Drawn by uPlot, which the page has loaded. */

const DEGREES = 180 / Math.PI;
/** Milliseconds between two drawings of all charts, of which each has a picture of the page for itself. */
const PACE = 100;
/** Seconds without a frame over which no line is drawn. */
const GAP = 0.5;
/** Most frames that are kept, whatever the times say. */
const MOST = 7200;

/** Charts: title, unit, height in pixels, range at least shown, curves with their colour in theme.css. */
const CHARTS = [
  {
    title: "Pose", unit: "°", digits: 0, height: 130, range: [-30, 30],
    curves: [
      { name: "yaw", colour: "--c1", of: (face) => degrees(face.pose?.yaw) },
      { name: "pitch", colour: "--c2", of: (face) => degrees(face.pose?.pitch) },
      { name: "roll", colour: "--c3", of: (face) => degrees(face.pose?.roll) }
    ]
  },
  {
    title: "Eyes open", unit: "", digits: 2, height: 110, range: [0, 0.4],
    curves: [
      { name: "right", colour: "--c4", of: (face) => face.measures?.right_eye_open },
      { name: "left", colour: "--c5", of: (face) => face.measures?.left_eye_open }
    ]
  },
  {
    title: "Mouth open", unit: "", digits: 2, height: 110, range: [0, 0.6],
    curves: [{ name: "mouth", colour: "--c6", of: (face) => face.measures?.mouth_open }]
  }
];

export class Curves {
  /**
   * @param {HTMLElement} element is filled with the charts
   * @param {number} seconds that are shown
   */
  constructor(element, seconds = 20) {
    if (!globalThis.uPlot) throw new Error("uPlot is not loaded: the page needs uplot/uPlot.iife.min.js first");
    this.seconds = seconds;
    this.charts = CHARTS.map((chart) => new Chart(element, chart, seconds));
    this.drawn = -Infinity;
    /** The chart that is drawn next. */
    this.next = 0;
    /** Whether a drawing is under way, and whether there is more to draw since it began. */
    this.waiting = this.stale = false;
    this.clear();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      colours.clear();
      this.ask();
    });
  }

  /** Begin anew, as for another source or another face. */
  clear() {
    this.times = [];
    this.columns = CHARTS.map((chart) => chart.curves.map(() => []));
    this.id = null;
    this.ask();
  }

  /**
   * Add a frame.
   * @param {number} time seconds on the stream's clock
   * @param {object|null} face of a JSONL frame object; null where there is none
   */
  push(time, face) {
    if (!Number.isFinite(time)) return;
    if (time <= this.times.at(-1) || (face && this.id !== null && face.id !== this.id)) this.clear();
    this.id = face?.id ?? this.id;
    const last = this.times.at(-1);
    if (time - last > GAP) this.add(last + GAP / 2, null);
    this.add(time, face);
    // Room is given back in larger pieces: shifting every array at every frame costs more.
    const old = this.times.findIndex((each) => each >= time - this.seconds - 1);
    const extra = Math.max(old, this.times.length - MOST);
    if (extra > 60) this.drop(extra);
    this.ask();
  }

  add(time, face) {
    this.times.push(time);
    CHARTS.forEach((chart, place) => chart.curves.forEach((curve, number) => {
      const value = face ? curve.of(face) : null;
      this.columns[place][number].push(Number.isFinite(value) ? value : null);
    }));
  }

  drop(count) {
    for (const column of [this.times, ...this.columns.flat()]) column.splice(0, count);
  }

  /** Draw soon; a hidden page draws nothing. */
  ask() {
    this.stale = true;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => this.turn(now));
  }

  turn(now) {
    if (this.next > 0 || now - this.drawn >= PACE) {
      if (this.next === 0) {
        this.drawn = now;
        this.stale = false;
      }
      this.charts[this.next].show(this.times, this.columns[this.next]);
      this.next = (this.next + 1) % this.charts.length;
      if (this.next === 0) {
        this.waiting = false;
        if (this.stale) this.ask();
        return;
      }
    }
    requestAnimationFrame((later) => this.turn(later));
  }
}

class Chart {
  constructor(element, { title, unit, digits, height, range, curves }, seconds) {
    this.unit = unit;
    this.digits = digits;
    const figure = document.createElement("figure");
    figure.className = "chart";
    const caption = document.createElement("figcaption");
    caption.append(made("span", "title", title));
    this.values = curves.map((curve) => {
      const value = made("span", "value", "");
      const name = made("span", "curve", `${curve.name} `);
      name.style.setProperty("--curve", `var(${curve.colour})`);
      name.append(value);
      caption.append(name);
      return value;
    });
    const plot = made("div", "plot", "");
    figure.append(caption, plot);
    element.append(figure);
    const axis = {
      stroke: () => colour("--soft"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false }
    };
    const [least, most] = range;
    this.plot = new globalThis.uPlot({
      width: Math.max(plot.clientWidth, 120), height,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 14, 0, 0],
      scales: {
        x: { time: false, range: (u) => [this.end(u) - seconds, this.end(u)] },
        y: { range: (_, low, high) => [Math.min(least, low ?? least), Math.max(most, high ?? most)] }
      },
      series: [
        {},
        ...curves.map((curve) => ({ stroke: () => colour(curve.colour), width: 1.5, points: { show: false } }))
      ],
      axes: [
        {
          ...axis, size: 26, gap: 7,
          splits: (u) => [1, 0.75, 0.5, 0.25, 0].map((share) => this.end(u) - share * seconds),
          values: (u, splits) => splits.map((split) => ago(this.end(u) - split))
        },
        {
          ...axis, size: 42, gap: 4, space: 28,
          incrs: unit ? [5, 10, 15, 30, 45, 90] : [0.1, 0.2, 0.3, 0.5, 1],
          values: (_, splits) => splits.map((split) => written(split, digits && 1, unit))
        }
      ]
    }, [[], ...curves.map(() => [])], plot);
    new ResizeObserver(() => {
      const width = Math.floor(plot.clientWidth);
      if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height });
    }).observe(plot);
  }

  end(u) {
    return u.data[0].at(-1) ?? 0;
  }

  show(times, columns) {
    this.plot.setData([times, ...columns]);
    this.values.forEach((value, number) => {
      const last = columns[number].at(-1);
      value.textContent = last == null ? "–" : written(last, this.digits, this.unit);
    });
  }
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Colours of theme.css that were asked for: each question costs the browser a look at all styles. */
const colours = new Map();

/** A colour of theme.css, as it is now: light or dark. */
function colour(name) {
  const known = colours.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name);
  if (known) colours.set(name, known); // nothing is known before theme.css is there
  return known;
}

function degrees(radians) {
  return Number.isFinite(radians) ? radians * DEGREES : null;
}

/** A number with its unit, and never "−0". */
function written(value, digits, unit) {
  return `${(Number(value.toFixed(digits)) || 0).toFixed(digits)}${unit}`.replace("-", "−");
}

function ago(seconds) {
  return seconds < 0.01 ? "now" : `−${+seconds.toFixed(1)} s`;
}
