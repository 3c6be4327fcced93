"use strict";
// The report's page: curves that share cursor and zoom, the film that goes along, and the table.
// Numbers come from the JSON beside this script, made by plots/report_film.py; nothing is loaded.
(() => {
  const MISSING = 65535;
  const CHARTS = [
    { title: "Eyes open (height / width); grey: eyes shut", digits: 3, floor: true, blinks: true,
      lines: [[0, "right eye", "--c1"], [1, "left eye", "--c4"]] },
    { title: "Mouth: openness (height / width), width (eye distances)", digits: 3, floor: true,
      lines: [[2, "open", "--c2"], [6, "width", "--c3"]] },
    { title: "Head pose (degrees)", digits: 1, floor: false,
      lines: [[3, "yaw", "--c1"], [4, "pitch", "--c2"], [5, "roll", "--c3"]] },
    // Only for faces of recordings with expressions.
    { title: "Expression (probability)", digits: 2, floor: true,
      lines: [[7, "neutral", "--soft"], [8, "happy", "--c4"], [9, "surprised", "--c5"], [10, "sad", "--c1"],
        [11, "angry", "--c2"], [12, "disgusted", "--c3"], [13, "afraid", "--c6"]] },
  ];
  const MARGIN = 56;
  // Of the time axis, in seconds.
  const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function bytes(text) {
    const raw = atob(text), made = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) made[i] = raw.charCodeAt(i);
    return made;
  }

  // m:ss, from an hour on h:mm:ss; with digits after the point where asked.
  function clock(seconds, digits = 0) {
    const unit = 10 ** digits, sign = seconds < 0 ? "-" : "";
    const whole = Math.round(Math.abs(seconds) * unit) / unit;
    const s = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
    const m = Math.floor(whole / 60) % 60, h = Math.floor(whole / 3600);
    return sign + (h ? `${h}:${String(m).padStart(2, "0")}` : m) + ":" + s;
  }

  class Film {
    constructor(section, data) {
      this.section = section;
      this.data = data;
      this.charts = [];
      const ticks = new Uint32Array(bytes(data.times).buffer);
      this.times = Array.from(ticks, (tick) => data.start + tick * data.tick);
      this.start = data.start;
      this.end = Math.max(data.end, data.start + 0.001);
      this.range = [this.start, this.end];
      this.now = this.start;
      this.key = `film ${data.name} ${Math.random()}`;
      this.step = data.joined ? data.width : data.fps ? 1 / data.fps : (this.end - this.start) / Math.max(this.times.length, 1);
      this.said = section.querySelector(".now");
      this.faces = new Map(data.faces.map((face) => [face.id, face]));
      this.player = new Player(this);
      if (this.times.length) this.build();
      for (const picture of section.querySelectorAll("[data-time]"))
        picture.addEventListener("click", () => this.goTo(Number(picture.dataset.time)));
    }

    build() {
      if (this.data.faces.length) this.raster();
      for (const details of this.section.querySelectorAll(".face")) {
        const face = this.faces.get(Number(details.dataset.face));
        // Drawn when they are first opened: a film may have many faces.
        const draw = () => { if (details.open && !details.drawn) { details.drawn = true; this.curves(details, face); } };
        details.addEventListener("toggle", draw);
        draw();
      }
    }

    curves(details, face) {
      const shut = bytes(face.shut), { joined, width } = this.data;
      const x = this.times.slice(face.first, face.first + shut.length).map((time) => (joined ? time + width / 2 : time));
      // Of each channel [values], or [lowest, mean, highest] of a column of many frames.
      const channels = face.channels.map(([low, step, ...texts]) => texts.map((text) =>
        Array.from(new Uint16Array(bytes(text).buffer), (n) => (n === MISSING ? null : low + step * n))));
      for (const chart of CHARTS) {
        if (chart.lines[0][0] >= channels.length) continue;
        const data = [x], series = [], bands = [];
        for (const [channel, label, name] of chart.lines) {
          const parts = channels[channel], show = (value) => value.toFixed(chart.digits);
          const stroke = () => colour(name), points = { size: 4 };
          if (!joined) {
            data.push(parts[0]);
            series.push({ label, stroke, points, width: 1.2, value: (_, value) => (value == null ? "–" : show(value)) });
            continue;
          }
          // The range as a pale band around the mean.
          const [low, mean, high] = parts, range = { label: "", stroke: null, points: { show: false }, class: "range" };
          data.push(high, low, mean);
          bands.push({ series: [data.length - 3, data.length - 2], fill: () => colour(name) + "55" });
          series.push(range, range, { label, stroke, points, width: 1.2,
            value: (_, value, __, i) => (value == null ? "–" : `${show(value)} (${show(low[i])} to ${show(high[i])})`) });
        }
        const range = (_, low, high) => {
          if (low == null) return [0, 1];
          const room = Math.max((high - low) * 0.08, 0.02);
          return [chart.floor ? 0 : low - room, high + room];
        };
        this.chart(details, `face ${face.id}: ${chart.title}`, chart.title, 165, data, series, { range },
          { bands, hooks: chart.blinks ? { drawClear: [(u) => this.shade(u, face, shut)] } : {} });
      }
    }

    // For each column of pixels the mean of a face's shares, so that no zoom shows more than there was.
    perPixel(u, face, shares, longest) {
      const { left, width } = u.bbox;
      const sum = new Float32Array(width), count = new Float32Array(width);
      for (let i = 0; i < shares.length; i++) {
        const time = this.times[face.first + i];
        const next = Math.min(this.times[face.first + i + 1] ?? time + this.step, time + longest);
        if (next < this.range[0] || time > this.range[1]) continue;
        const from = Math.max(Math.floor(u.valToPos(time, "x", true) - left), 0);
        const to = Math.min(Math.max(Math.floor(u.valToPos(next, "x", true) - left), from + 1), width);
        for (let p = from; p < to; p++) { sum[p] += shares[i] / 255; count[p]++; }
      }
      return sum.map((total, p) => (total ? total / count[p] : 0));
    }

    shade(u, face, shut) {
      const { left, top, height } = u.bbox, shade = colour("--shade");
      this.perPixel(u, face, shut, Math.max(3 * this.step, 0.1)).forEach((share, p) => {
        if (!share) return;
        u.ctx.fillStyle = `rgba(${shade}, ${0.1 + 0.45 * share})`;
        u.ctx.fillRect(left + p, top, 1, height);
      });
    }

    raster() {
      const rows = [...this.data.faces].sort((a, b) => a.id - b.id);
      const main = this.data.faces[0].id;
      const presence = rows.map((face) => bytes(face.presence));
      const paint = (u) => {
        const { left, top, height } = u.bbox, row = height / rows.length;
        rows.forEach((face, place) => {
          u.ctx.fillStyle = colour(face.id === main ? "--main" : "--presence");
          const low = Math.round(top + row * (place + 0.9)), most = row * 0.8;
          this.perPixel(u, face, presence[place], Math.max(3 * this.step, 1)).forEach((share, p) => {
            if (!share) return;
            const high = Math.max(Math.round(most * share), 1);
            u.ctx.fillRect(left + p, low - high, 1, high);
          });
        });
      };
      const axis = {
        splits: () => rows.map((_, i) => rows.length - 0.5 - i),
        values: () => rows.map((face) => String(face.id)),
        grid: { show: false }, ticks: { show: false },
      };
      this.chart(this.section.querySelector(".raster"), "who is on screen", "Who is on screen (face; the main one is orange)",
        48 + 18 * rows.length, [[this.start, this.end], [null, null]], [{ label: "", value: () => "" }],
        { range: [0, rows.length] }, { hooks: { draw: [paint] }, axis, legend: false });
    }

    chart(parent, name, title, height, data, series, y, { bands = [], hooks = {}, axis = {}, legend = true }) {
      const box = document.createElement("div");
      box.className = "chart";
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `Curve, ${name}`);
      const heading = document.createElement("h4");
      heading.textContent = title;
      box.append(heading);
      parent.append(box);
      const look = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { stroke: () => colour("--line") } };
      const u = new uPlot({
        width: Math.max(box.clientWidth, 200), height,
        scales: { x: { time: false, min: this.range[0], max: this.range[1], range: (_, low, high) => this.within(low, high) }, y },
        series: [{ label: "time", value: (_, value) => (value == null ? "–" : clock(value, 2)) }, ...series],
        axes: [
          { ...look, size: 32, incrs: STEPS, values: (_, ticks) => ticks.map((tick) => this.label(tick)) },
          { ...look, size: MARGIN, space: 26, ...axis, grid: { ...look.grid, ...axis.grid }, ticks: { ...look.ticks, ...axis.ticks } },
        ],
        bands,
        legend: { show: legend },
        cursor: { y: false, drag: { x: true, y: false }, sync: { key: this.key, scales: ["x", null], setSeries: false } },
        hooks: {
          ...hooks,
          setScale: [(_, scale) => { if (scale === "x") this.follow(u); }],
          setSize: [() => this.place(u)],
        },
      }, data, box);
      u.head = document.createElement("div");
      u.head.className = "playhead";
      u.over.append(u.head);
      let down = 0;
      u.over.addEventListener("mousedown", (event) => { down = event.clientX; });
      u.over.addEventListener("click", (event) => {
        if (Math.abs(event.clientX - down) < 4) this.goTo(u.posToVal(event.clientX - u.over.getBoundingClientRect().left, "x"));
      });
      u.over.addEventListener("dblclick", () => this.zoom(this.start, this.end));
      box.addEventListener("keydown", (event) => this.press(event));
      new ResizeObserver(() => {
        if (box.clientWidth > 0 && box.clientWidth !== u.width) u.setSize({ width: box.clientWidth, height });
      }).observe(box);
      this.charts.push(u);
      u.setScale("x", { min: this.range[0], max: this.range[1] });
      this.place(u);
    }

    // Axis labels: seconds with as many digits as the zoom needs.
    label(tick) {
      const span = this.range[1] - this.range[0];
      return span < 120 && this.end < 120 ? `${+tick.toFixed(2)} s` : clock(tick, span < 10 ? 1 : 0);
    }

    within(low, high) {
      if (low == null || high == null) return [this.start, this.end];
      return [Math.max(low, this.start), Math.min(high, this.end)];
    }

    follow(u) {
      const { min, max } = u.scales.x;
      this.place(u);
      if (this.moving || min == null || (min === this.range[0] && max === this.range[1])) return;
      this.zoom(min, max);
    }

    zoom(low, high) {
      const least = Math.min(4 * this.step, this.end - this.start);
      if (high - low < least) { const middle = (low + high) / 2; low = middle - least / 2; high = middle + least / 2; }
      this.range = this.within(low, high);
      this.moving = true;
      for (const u of this.charts) u.setScale("x", { min: this.range[0], max: this.range[1] });
      this.moving = false;
    }

    press(event) {
      const span = this.range[1] - this.range[0], far = event.shiftKey ? 10 : 1;
      // A step of the data, but never less than a pixel.
      const step = Math.max(this.step, span / 1000) * far;
      const around = (share) => { const c = Math.min(Math.max(this.now, this.range[0]), this.range[1]); this.zoom(c - (c - this.range[0]) * share, c + (this.range[1] - c) * share); };
      const does = {
        ArrowLeft: () => this.goTo(this.now - step), ArrowRight: () => this.goTo(this.now + step),
        "+": () => around(0.5), "=": () => around(0.5), "-": () => around(2), "_": () => around(2),
        0: () => this.zoom(this.start, this.end), Escape: () => this.zoom(this.start, this.end),
        Home: () => this.goTo(this.start), End: () => this.goTo(this.end), " ": () => this.player.toggle(),
      }[event.key];
      if (!does || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      does();
    }

    // By a click, a key or a picture: the film goes there, too.
    goTo(time) {
      this.show(time);
      this.player.seek(this.now);
    }

    show(time) {
      this.now = Math.min(Math.max(time, this.start), this.end);
      const [low, high] = this.range;
      if (this.now < low || this.now > high) {
        const from = Math.min(Math.max(this.now - (high - low) / 10, this.start), this.end - (high - low));
        this.zoom(from, from + high - low);
      }
      this.said.textContent = clock(this.now, 2);
      for (const u of this.charts) {
        this.place(u);
        if (!u.over.matches(":hover")) u.setCursor({ left: u.valToPos(this.now, "x"), top: 0 }, false);
      }
    }

    place(u) {
      if (!u.head) return;
      const left = u.valToPos(this.now, "x");
      u.head.hidden = !(left >= 0 && left <= u.over.clientWidth);
      u.head.style.transform = `translateX(${left - 1}px)`;
    }

    redraw() {
      for (const u of this.charts) u.redraw(false);
    }
  }

  // The film beside the page, or one that the reader chooses. It is shown once the browser can play it.
  class Player {
    constructor(film) {
      this.film = film;
      this.video = film.section.querySelector("video");
      this.note = film.section.querySelector(".film-note");
      const { name, src } = film.section.dataset;
      this.video.addEventListener("loadedmetadata", () => {
        this.video.hidden = this.video.videoWidth === 0;
        this.note.textContent = this.video.hidden ? this.refused(this.name) : "";
        if (film.now > film.start) this.seek(film.now);
      });
      this.video.addEventListener("error", () => {
        this.video.hidden = true;
        this.note.textContent = this.chosen ? this.refused(this.name)
          : `${this.name} does not lie beside this page, or this browser cannot play its format.`;
      });
      const follow = () => film.show(this.video.currentTime + film.data.origin);
      this.video.addEventListener("timeupdate", follow);
      this.video.addEventListener("seeked", follow);
      this.video.addEventListener("play", () => {
        const each = () => { if (!this.video.paused) { follow(); requestAnimationFrame(each); } };
        each();
      });
      film.section.querySelector("input[type=file]").addEventListener("change", (event) => {
        const file = event.target.files[0];
        if (!file) return;
        if (this.chosen) URL.revokeObjectURL(this.chosen);
        this.chosen = URL.createObjectURL(file);
        this.load(file.name, this.chosen);
      });
      if (src) this.load(name, src);
      else this.note.textContent = "This recording names no film.";
    }

    refused(name) {
      return `This browser cannot play the format of ${name}. A copy of it as H.264 in MP4 plays: choose that one.`;
    }

    load(name, src) {
      this.name = name;
      this.video.src = src;
    }

    get ready() {
      return !this.video.hidden && this.video.readyState > 0;
    }

    seek(time) {
      if (this.ready) this.video.currentTime = Math.max(time - this.film.data.origin, 0);
    }

    toggle() {
      if (!this.ready) return;
      if (this.video.paused) this.video.play(); else this.video.pause();
    }
  }

  function table() {
    const rows = document.getElementById("table"), body = rows.tBodies[0], heads = [...rows.tHead.rows[0].cells];
    const text = (row, column) => row.cells[column].textContent;
    heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const compare = (a, b) => {
        const [one, two] = [text(a, column), text(b, column)];
        // What is not known comes last, either way.
        if (one === "" || two === "") return (one === "") - (two === "");
        const order = Number.isNaN(+one) || Number.isNaN(+two) ? one.localeCompare(two) : one - two;
        return up ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    }));
    document.getElementById("copy").addEventListener("click", async () => {
      const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
      const lines = [...rows.rows].map((row) => [...row.cells].map((one) => cell(one.textContent)).join(","));
      const copied = await copy(lines.join("\n") + "\n");
      document.getElementById("copied").textContent = copied ? `${lines.length - 1} rows copied.` : "The browser does not allow copying.";
    });
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      return copied;
    }
  }

  const data = JSON.parse(document.getElementById("data").textContent);
  const sections = document.querySelectorAll(".film");
  const films = data.films.map((film, place) => new Film(sections[place], film));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => films.forEach((film) => film.redraw()));
  table();
})();
