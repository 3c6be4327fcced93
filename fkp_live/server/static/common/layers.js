/** Switches for the layers of the overlay: a button each, and the keys 1 to 7. */

import { LAYERS } from "./overlay.js";

export class LayerSwitches {
  /**
   * @param {HTMLElement} element is filled with the buttons
   * @param {(layers: Set<string>) => void} onChange called after each change
   */
  constructor(element, onChange = () => {}) {
    /** Names of the layers that are painted. */
    this.layers = new Set(LAYERS.filter((layer) => layer.usual).map((layer) => layer.name));
    this.onChange = onChange;
    this.buttons = LAYERS.map((layer, place) => this.button(layer, String(place + 1)));
    element.classList.add("switches");
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", "Layers of the overlay");
    element.append(...this.buttons);
    document.addEventListener("keydown", (event) => this.press(event));
  }

  button(layer, key) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.layer = layer.name;
    button.setAttribute("aria-pressed", String(this.layers.has(layer.name)));
    button.setAttribute("aria-keyshortcuts", key);
    const hint = document.createElement("kbd");
    hint.textContent = key;
    hint.setAttribute("aria-hidden", "true");
    button.append(layer.label, hint);
    button.addEventListener("click", () => this.toggle(layer.name));
    return button;
  }

  /** Switch a layer on or off. */
  toggle(name) {
    if (!this.layers.delete(name)) this.layers.add(name);
    this.show();
  }

  /** Switch these on and all others off. */
  choose(names) {
    this.layers = new Set(LAYERS.map((layer) => layer.name).filter((name) => names.includes(name)));
    this.show();
  }

  show() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(this.layers.has(button.dataset.layer)));
    }
    this.onChange(this.layers);
  }

  press(event) {
    const layer = LAYERS[Number(event.key) - 1];
    if (!layer || !isShortcut(event)) return;
    event.preventDefault();
    this.toggle(layer.name);
  }
}

/** Whether a key is meant for the page: pressed once, alone, and not to fill in something. */
export function isShortcut(event) {
  const writes = event.target instanceof Element && event.target.closest("input, select, textarea");
  return !(writes || event.repeat || event.ctrlKey || event.altKey || event.metaKey);
}
