/** Record, snapshot, mirror, smoothing, neutral face: what the server is asked to do, by buttons and by keys. */

import { isShortcut } from "../common/layers.js";
import { address, saidBy } from "./addresses.js";

export class Controls {
  /**
   * @param {HTMLElement} element holds the buttons by their ids
   * @param {(said: string, ok: boolean) => void} onSaid what the server answered
   * @param {() => void} onFullscreen
   */
  constructor(element, onSaid, onFullscreen) {
    this.onSaid = onSaid;
    const find = (id) => element.querySelector(`#${id}`);
    [this.record, this.mirror, this.smoothing] = ["record", "mirror", "smoothing"].map(find);
    this.asking = [find("record"), find("snapshot"), find("mirror"), find("neutral"), this.smoothing];
    const does = {
      record: () => this.ask({ do: "record" }),
      snapshot: () => this.ask({ do: "snapshot" }),
      mirror: () => this.ask({ do: "mirror", on: !this.state?.mirror }),
      neutral: () => this.ask({ do: "neutral" }),
      fullscreen: onFullscreen
    };
    for (const [id, act] of Object.entries(does)) find(id).addEventListener("click", act);
    this.smoothing.addEventListener("change", () => this.ask({ do: "smoothing", level: this.smoothing.value }));
    const keys = { r: does.record, s: does.snapshot, m: does.mirror, c: does.neutral, f: does.fullscreen };
    keys["["] = () => this.smooth(-1);
    keys["]"] = () => this.smooth(1);
    document.addEventListener("keydown", (event) => {
      const act = keys[event.key.toLowerCase()];
      if (!act || !isShortcut(event) || (act !== does.fullscreen && this.record.disabled)) return;
      event.preventDefault();
      act();
    });
    this.enable(false);
  }

  /** Whether the server can be asked at the moment. */
  enable(on) {
    for (const one of this.asking) one.disabled = !on;
  }

  /** Show the state that the server is in. */
  show(state) {
    this.state = state;
    const { recording, mirror, smoothing, smoothing_levels: levels = [] } = state;
    press(this.record, Boolean(recording));
    press(this.mirror, Boolean(mirror));
    const said = recording ? `Stop ${recording}` : "Record";
    const label = this.record.firstElementChild;
    if (label.textContent !== said) label.textContent = said;
    this.smoothing.parentElement.hidden = !levels.length;
    if (this.smoothing.length !== levels.length) {
      this.smoothing.replaceChildren(...levels.map((level) => new Option(level)));
    }
    // Not while somebody chooses.
    if (document.activeElement !== this.smoothing) this.smoothing.value = smoothing;
  }

  smooth(steps) {
    const levels = this.state?.smoothing_levels ?? [];
    const level = levels[levels.indexOf(this.state?.smoothing) + steps];
    if (!level) return;
    this.state = { ...this.state, smoothing: level }; // a second press goes on from there, before the server has answered
    this.ask({ do: "smoothing", level });
  }

  async ask(what) {
    try {
      const answer = await fetch(address("control"), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(what)
      });
      if (answer.ok) this.onSaid((await answer.json()).said, true);
      else this.onSaid(await saidBy(answer), false);
    } catch {
      this.onSaid("The server did not answer. Is fkp-live still running?", false);
    }
  }
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}
