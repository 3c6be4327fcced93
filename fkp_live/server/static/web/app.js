/** The page: what its buttons, keys and settings do, and where each result goes. */

import { Curves } from "../common/curves.js";
import { FacesList } from "../common/faces.js";
import { isShortcut, LayerSwitches } from "../common/layers.js";
import { listCameras } from "./camera.js";
import { missing } from "./capabilities.js";
import { save, timedName } from "./downloads.js";
import { Feed } from "./feed.js";
import { asFailure, missingFile } from "./messages.js";
import { Meters } from "./meters.js";
import { Networks } from "./networks.js";
import { Player } from "./player.js";
import { Recording } from "./recording.js";
import { Source } from "./source.js";
import { sizeOf, Stage } from "./stage.js";

const DETECT_EVERY = 15;
/** Said while a picture of more pixels than this is looked at: it takes seconds. */
const LOOKING = "Looking for faces …", MANY_PIXELS = 8e6;
const CAMERA_OFF = "The camera gives no picture at the moment: its cover may be shut, or another program has it.";
const KEYS = { w: "camera", c: "neutral", o: "open", r: "record", s: "snapshot", m: "mirror", " ": "pause" };
const find = (id) => document.getElementById(id);
const buttons = (name) => document.querySelectorAll(`[data-do=${name}]`);

// In the page, although nobody sees it: phones give a video that is nowhere no frames.
const video = find("video");
const stage = new Stage(find("picture"));
const faces = new FacesList(find("faces"));
const curves = new Curves(find("curves"));
const meters = new Meters(Object.fromEntries(["size", "fps", "ms", "detector", "frames", "dropped"].map((name) => [name, find(`fact-${name}`)])));
const switches = new LayerSwitches(find("layers"), () => stage.paint());
const networks = new Networks(onResult, (news) => meters.noteDetector(news), onNetworksLost);
const feed = new Feed(networks, stage);
const source = new Source(video, { onFrame: (picture, time) => feed.add(picture, time, source.kind === "camera"), onBreak, onEnd });
const player = new Player(find("player"), video, onJump);
stage.layers = switches.layers;

let facts = null;
/** The recording that runs, and the last one, which can be downloaded. */
let recording = null, recorded = null;
/** The camera is mirrored, as people know themselves; videos and pictures are not. */
let mirrorWanted = true;
let size = [0, 0];

const ACTIONS = {
  camera: toggleCamera,
  open: () => find("file").click(),
  record: toggleRecord,
  snapshot: async () => save(await stage.picture(), timedName(".png")),
  mirror() {
    mirrorWanted = !mirrorWanted;
    press("mirror", mirrorWanted);
    mirror();
    stage.paint();
  },
  neutral: () => networks.neutral(),
  pause: () => source.kind === "video" && press("pause", source.pause()),
  csv: async () => save(await recorded.csv(), timedName(".csv")),
  jsonl: () => save(recorded.jsonl(), timedName(".jsonl"))
};

start().catch((error) => {
  find("opening").textContent = "The networks are not loaded.";
  say(error);
});

async function start() {
  document.documentElement.dataset.started = "";
  listen();
  const failure = missing();
  if (failure) throw failure;
  // Not at the click: loading takes longer than anything else on the way to the first face.
  await openNetworks();
  navigator.mediaDevices?.addEventListener?.("devicechange", showCameras);
  await showCameras();
}

function listen() {
  for (const [name, act] of Object.entries(ACTIONS)) {
    for (const button of buttons(name)) button.addEventListener("click", () => attempt(act));
  }
  document.addEventListener("keydown", (event) => {
    const name = KEYS[event.key.toLowerCase()];
    // On a button the space bar presses it.
    if (!name || !isShortcut(event) || (event.key === " " && event.target.closest("button"))) return;
    event.preventDefault();
    if (![...buttons(name)].some((button) => button.disabled)) attempt(ACTIONS[name]);
  });
  find("file").addEventListener("change", (event) => {
    openFiles([...event.target.files]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  find("model").addEventListener("change", () => attempt(changeNetworks));
  for (const id of ["smooth", "expression"]) find(id).addEventListener("change", () => attempt(changeOptions));
  find("cameras").addEventListener("change", () => source.kind === "camera" && attempt(startCamera));
  // Asked before the page is left: a recording is nowhere else.
  addEventListener("beforeunload", (event) => recording?.frames && event.preventDefault());
  const view = find("view");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    view.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? view.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    view.classList.remove("dropping");
    openFiles([...event.dataTransfer.files]);
  });
}

/** Do something, and say in words what failed. */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    say(error);
  }
}

async function openNetworks() {
  feed.ready = false;
  find("opening").textContent = "Loading the networks …";
  const opening = networks.open(find("model").value, options());
  // A recording is of one network.
  renew();
  try {
    facts ??= await openFacts();
  } catch (failure) {
    networks.close(); // the next start tries again, and says again what is missing
    throw failure;
  }
  const { ms } = await opening;
  find("opening").textContent = `The networks are ready (${Math.round(ms)} ms).`;
  const model = find("model").value, { licence } = facts.models[model];
  find("about").textContent = `fkp-live ${facts.version}. Licence of ${model}: ${licence ?? "not stated"}.`;
  feed.ready = true;
  feed.next();
}

/** The stream goes on under other conditions: what was seen before is over. */
function renew() {
  if (recording) toggleRecord();
  feed.renew();
  source.recount();
  forget();
}

/** Ids of before mean nothing any more. */
function forget() {
  curves.clear();
  faces.clear();
}

async function changeOptions() {
  // A recording is of one set of options.
  if (recording) toggleRecord();
  networks.options(options());
  await lookAgain();
}

/** Other networks, and what is shown seen by them. */
async function changeNetworks() {
  await openNetworks();
  await lookAgain();
}

/** What rests is looked at again. */
async function lookAgain() {
  if (source.kind === "picture") await openFiles([source.file]);
  if (source.kind !== "video" || !video.paused) return;
  onJump();
  source.again();
}

/** What the page must know of Python's side: columns and header of recordings, licences. */
async function openFacts() {
  const answer = await fetch(new URL("facts.json", import.meta.url)).catch(() => null);
  if (!answer?.ok) throw missingFile("web/facts.json");
  return answer.json();
}

function options() {
  return { smooth: find("smooth").value, detectEvery: DETECT_EVERY, maxFaces: null, expression: find("expression").checked };
}

async function toggleCamera() {
  if (source.kind !== "camera") return startCamera();
  source.close();
  show("");
}

async function startCamera() {
  say("");
  begin();
  try {
    if (!(await ready())) return;
    if (await source.openCamera(find("cameras").value)) show(source.name);
  } finally {
    if (!source.kind) show("");
  }
  await showCameras();
}

async function openFiles([file, ...others]) {
  if (!file) return;
  await attempt(async () => {
    say(others.length ? `One file at a time: ${file.name} was opened.` : "");
    begin();
    if (!(await ready())) return;
    const opened = await source.openFile(file);
    if (!opened) return;
    show(source.name);
    if (opened === true) return;
    size = sizeOf(opened);
    if (size[0] * size[1] > MANY_PIXELS) say(LOOKING);
    feed.add(opened, null);
  });
  if (!source.kind) show("");
}

/**
 * Networks that were lost are loaded again.
 * @returns {Promise<boolean>} false where something else was opened or closed meanwhile, or is about to be
 */
async function ready() {
  const failure = missing();
  if (failure) throw failure;
  const turn = source.opened;
  if (!networks.ready) await openNetworks();
  return turn === source.opened;
}

/** Everything of the last stream ends. */
function begin() {
  if (recording) toggleRecord();
  // Loading the networks again takes less time than a very large picture.
  if (networks.pending && source.kind === "picture" && size[0] * size[1] > MANY_PIXELS) networks.close();
  source.close();
  feed.begin();
  stage.release();
  forget();
  meters.clear();
}

/** The page of a source, or of none. */
function show(name) {
  const { kind } = source;
  find("over").hidden = Boolean(kind);
  find("source").textContent = name || "68 landmarks of every face";
  press("camera", kind === "camera");
  press("pause", false);
  player.show(kind === "video");
  for (const button of [...buttons("record"), ...buttons("neutral")]) button.disabled = kind !== "camera" && kind !== "video";
  for (const button of buttons("snapshot")) button.disabled = !kind;
  if (!kind) {
    feed.begin();
    stage.release();
    faces.clear();
  }
  if (!kind && recording) toggleRecord();
  mirror();
}

function mirror() {
  stage.mirrored = mirrorWanted && source.kind === "camera";
}

function onBreak(isOff) {
  if (isOff) say(CAMERA_OFF);
  else if (find("message").textContent === CAMERA_OFF) say("");
}

function onEnd(failure) {
  if (failure) {
    say(failure);
    show("");
    return;
  }
  if (recording) toggleRecord();
  press("pause", true);
}

function onJump() {
  // One that has nothing yet goes on: at the end of a video it waits until that is played again.
  if (recording?.frames) toggleRecord();
  feed.begin();
  forget();
}

function onNetworksLost(failure) {
  feed.ready = false;
  find("opening").textContent = "The networks are not loaded.";
  source.close();
  show("");
  say(failure);
}

function onResult({ result, timings, stream }) {
  if (!feed.answered(stream)) return;
  stage.paint(result.faces);
  faces.show(result.faces);
  if (source.kind !== "picture") {
    curves.push(result.time, faces.main);
    size = stage.shown.whole;
  }
  // Its header says the size of the frames, which is not known before the first of them.
  if (recording && !recording.frames) recording = newRecording();
  recording?.add(result);
  meters.add({ size, ms: timings.total, frames: result.frame + 1, dropped: feed.dropped + source.lost });
  if (source.kind === "picture") offer(newRecording(), result);
  if (find("message").textContent === LOOKING) say("");
  document.dispatchEvent(new CustomEvent("fkp-result", { detail: result }));
}

function toggleRecord() {
  if (recording) {
    // Nothing takes the place of what can still be downloaded.
    if (recording.frames) offer(recording);
    recording = null;
  } else if (facts) {
    recording = newRecording();
  }
  press("record", Boolean(recording));
}

function newRecording() {
  const model = find("model").value, { sha256, licence = "" } = facts.models[model];
  const { smooth, expression } = options();
  const [width, height] = size;
  return new Recording({
    version: facts.version,
    source: { name: source.name, width, height, fps: null, origin: 0 },
    model: { name: model, sha256, licence },
    provider: "wasm",
    options: { smooth, expression, detect_every: DETECT_EVERY, max_faces: null, any_roll: false, mirror: false }
  }, facts);
}

/** Offer the numbers of a recording, with a result that is added first, if there is one. */
function offer(made, result = null) {
  if (result) made.add(result);
  recorded = made;
  find("downloads").hidden = false;
  const frames = made.frames === 1 ? "" : `, ${made.frames} frames`;
  find("recorded").textContent = `Numbers of ${made.name}${frames}`;
}

async function showCameras() {
  const cameras = await listCameras(), select = find("cameras"), chosen = select.value;
  select.replaceChildren(new Option("the browser's choice", ""), ...cameras.map(({ id, name }) => new Option(name, id)));
  select.value = cameras.some(({ id }) => id === chosen) ? chosen : "";
}

function press(name, on) {
  for (const button of buttons(name)) if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(on));
}

/** Show a failure with its cure, or a text; an empty text clears it. */
function say(what) {
  const message = find("message");
  message.classList.toggle("bad", typeof what !== "string");
  if (typeof what === "string") {
    message.textContent = what;
    return;
  }
  const failure = asFailure(what), strong = document.createElement("b");
  strong.textContent = failure.message;
  message.replaceChildren(strong, failure.cure);
}
