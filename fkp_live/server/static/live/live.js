/** The page of `fkp-live --serve`: connects the parts. */

import { Curves } from "../common/curves.js";
import { FacesList } from "../common/faces.js";
import { LayerSwitches } from "../common/layers.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Figures } from "./figures.js";
import { Messages } from "./messages.js";
import { Picture } from "./picture.js";

const find = (id) => document.getElementById(id);
const view = find("view"), over = find("over");

const switches = new LayerSwitches(find("layers"), () => picture.paint());
const picture = new Picture(view, find("canvas"), () => switches.layers);
const faces = new FacesList(find("faces"));
const curves = new Curves(find("curves"), 20);
const figures = new Figures(find("facts"));
const messages = new Messages(find("messages"), () => connection.retry());
const controls = new Controls(find("controls"), (said, ok) => messages.said(said, ok), fullscreen);
let begun = false;
const connection = new Connection({ onFrame, onState, onTrouble, onWaiting });
connection.connect();
document.documentElement.dataset.started = "";

async function onFrame({ frame, state, size }, jpeg) {
  onState(state);
  try {
    await picture.show(jpeg, frame.faces, (state.size ?? size)[0], Boolean(state.mirror));
  } catch (error) {
    messages.said(`A picture could not be shown: ${error.message}`, false);
    return;
  }
  over.hidden = true;
  faces.show(frame.faces);
  curves.push(frame.time, faces.main);
  figures.show(state, frame.faces.length);
  find("whose").textContent = faces.main?.id == null ? "" : `of face #${faces.main.id}`;
}

function onState(state) {
  if (!begun && state.layers) {
    // As --layers has them; what the window writes with the id is a layer of its own here.
    switches.choose(state.layers.includes("ids") ? [...state.layers, "expression"] : state.layers);
  }
  begun = true;
  controls.show(state);
  messages.program(state.said ?? "");
  const [width, height] = state.size ?? [];
  const source = find("source");
  write(source, [width && `${width} × ${height}`, state.source].filter(Boolean).join(", "));
  source.title = source.textContent;
  const version = state.version && `version ${state.version}`;
  write(find("about"), [state.model, state.provider, version].filter(Boolean).join(", "));
  const title = `${state.recording ? "● " : ""}${state.source ?? "Live"} – fkp-live`;
  if (document.title !== title) document.title = title;
}

function onTrouble(kind, said) {
  messages.connection(kind, said);
  controls.enable(kind === null);
  document.querySelector("main").classList.toggle("stale", kind !== null);
  if (kind) figures.rest();
  // What the server was doing when it was last heard is not known to go on.
  if (kind && controls.state) onState({ ...controls.state, recording: "", said: "" });
  if (kind && !picture.bitmap) say("No picture.");
}

function onWaiting() {
  figures.rest();
  say("Waiting for a picture …");
}

function say(text) {
  over.textContent = text;
  over.hidden = false;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function fullscreen() {
  const refused = (error) => messages.said(`No full screen: ${error.message}`, false);
  if (document.fullscreenElement) document.exitFullscreen();
  else if (view.requestFullscreen) view.requestFullscreen().catch(refused);
  else refused(new Error("this browser has none for pages."));
}
