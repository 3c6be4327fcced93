/**
 * The worker of the page: opens the networks, answers one frame at a time, and runs the detector after the answer.
 *
 * Messages to it:
 *   {kind: "open", base, models: {detector, landmarks, eyes?, expression?}, wasm: {module, binary}, options}
 *       URLs, relative to `base`; options: {smooth, detectEvery, maxFaces, expression}
 *   {kind: "frame", frame, time, bitmap, isLive}   the next frame of the stream; time in seconds; isLive: frames that are
 *       not answered in time are lost, so none waits for the detector, which then runs in a worker of its own
 *   {kind: "picture", frame, time, bitmap}   a single picture, without memory
 *   {kind: "options", options}               others from the next frame on
 *   {kind: "neutral"}                        what faces show now is their neutral face
 *   {kind: "reset"}                          another stream
 * and from it:
 *   {kind: "ready", ms, model}, {kind: "result", result, timings, stream}, {kind: "detected", ms, isOwn},
 *   {kind: "detector", isOwn, why}           whether the detector has a worker of its own, or why it has none
 *   {kind: "failed", message, cure}
 * `bitmap` is an ImageBitmap or a VideoFrame, transferred; the worker closes it. A frame may carry any `stream`, by which its
 * result is known again.
 */

import {models} from "./constants.js";
import {Detector} from "./detector.js";
import {ExpressionNetwork} from "./expression_network.js";
import {frameObject} from "./frame_object.js";
import {LandmarkNetwork} from "./landmarks.js";
import {EyeNetwork} from "./eyes.js";
import {FrameReader} from "./frame_reader.js";
import {LateDetector} from "./late_detector.js";
import {compileRuntime, EngineError, openNetwork, openRuntime} from "./networks.js";
import {Picture} from "./picture.js";
import {locateFaces, Pipeline} from "./pipeline.js";

/**
 * Milliseconds after which the detector's own worker is started, if no face came before: its start takes processor time
 * from the first face.
 */
const LATER = 1000;

const reader = new FrameReader();
/** @type {import("./pipeline.js").Engine | null} */
let engine = null;
/** @type {Pipeline | null} */
let pipeline = null;
// Opens the expression network when it is first asked for.
let expressionFrom = null;
let options = {};
/** Starts the detector's own worker, once. */
let startLate = () => {};
// Messages are worked on one after the other, also where one awaits something.
let last = Promise.resolve();

self.onmessage = ({data}) => {
  last = last.then(() => answer(data)).catch((error) => fail(error));
};

/** @param {any} message */
async function answer(message) {
  switch (message?.kind) {
    case "open":
      return open(message);
    case "frame":
    case "picture":
      return look(message);
    case "options":
      await change(message.options ?? message);
      return;
    case "neutral":
      pipeline?.setNeutral();
      return;
    case "reset":
      pipeline?.reset();
      return;
    default:
      throw new EngineError(`The worker knows no message "${message?.kind}".`, "Load the page again.");
  }
}

/** Open the networks, run each once, and be ready. */
async function open({base, models: urls, wasm, options: chosen = {}}) {
  const start = performance.now();
  const at = (url) => new URL(url, base ?? self.location.href).href;
  const name = urls.landmarks.split("/").pop().split("?")[0].replace(/\.onnx$/, "");
  if (!Object.hasOwn(models, name) || models[name].margin === undefined) {
    const known = Object.keys(models).filter((each) => models[each].margin !== undefined).join(", ");
    throw new EngineError(`There is no landmark network "${name}".`, `Choose one of ${known}.`);
  }
  // All files are asked for at once.
  const compiled = compileRuntime(at(wasm.binary));
  const runtime = openRuntime(at(wasm.module), compiled);
  const opened = [urls.detector, urls.landmarks, urls.eyes].map((url) => url && openNetwork(runtime, at(url)));
  const [detector, landmarks, eyes] = await Promise.all(opened);
  const {expression} = urls;
  expressionFrom = expression && (async () => new ExpressionNetwork(await openNetwork(runtime, at(expression))));
  engine?.late?.lose("");
  engine = {
    detector: new Detector(detector),
    landmarks: new LandmarkNetwork(landmarks, name),
    eyes: eyes ? new EyeNetwork(eyes) : null,
    expressions: null,
    late: null,
  };
  pipeline = null;
  await warmUp();
  await change(chosen);
  postMessage({kind: "ready", ms: performance.now() - start, model: name});
  const files = {module: at(wasm.module), wasm: await compiled, detector: at(urls.detector)};
  startLate = () => {
    startLate = () => {};
    openLate(engine, files);
  };
  setTimeout(() => startLate(), LATER);
}

/** Give the detector a worker of its own; where that fails it runs in this one, as until then. */
async function openLate(opened, files) {
  const isAlone = (why) => {
    opened.late = null;
    if (engine === opened) postMessage({kind: "detector", isOwn: false, why});
  };
  try {
    opened.late = await LateDetector.open(files, isAlone);
  } catch (error) {
    isAlone(error.message);
    return;
  }
  if (engine === opened) postMessage({kind: "detector", isOwn: true, why: ""});
  else opened.late.lose("");
}

/** Other options from now on; those that are refused are forgotten. */
async function change(chosen) {
  const next = {...options, ...chosen};
  if (engine) {
    if (next.expression && !engine.expressions && expressionFrom) engine.expressions = await expressionFrom();
    if (pipeline) pipeline.setOptions(next);
    else pipeline = new Pipeline(engine, next);
  }
  options = next;
}

/** The first run of a network is slow: it allocates, and the browser compiles its loops. */
async function warmUp() {
  const picture = new Picture(new Uint32Array(64 * 64), 64, 64);
  await engine.detector.detect(picture);
  await engine.landmarks.locate(picture, [[1, 0, 0, 0, 1, 0]]);
}

async function look({kind, frame, time, bitmap, isLive = false, stream}) {
  const start = performance.now();
  const picture = await read(kind, frame, time, bitmap);
  const reading = performance.now() - start;
  const found = await (kind === "frame" ? pipeline.process(picture, time, isLive) : locateFaces(engine, picture, options));
  const result = frameObject(frame ?? 0, time ?? 0, found.detected, found.faces);
  const timings = {read: reading, ...found.timings, total: reading + found.timings.total};
  postMessage({kind: "result", result, timings, stream});
  if (isLive && found.faces.length > 0) startLate();
  if (kind === "frame") {
    const ms = await pipeline.detectLater(noteLate);
    if (ms) postMessage({kind: "detected", ms, isOwn: false});
  }
}

/** The pixels of a frame, which is closed at once: cameras have few buffers, and lose frames while all of them are held. */
async function read(kind, frame, time, bitmap) {
  try {
    if (!engine || !pipeline) throw new EngineError("The networks are not open.", "Wait for the message ready.");
    if (!bitmap) throw new EngineError(`Frame ${frame} has no picture.`, "Give an ImageBitmap or a VideoFrame.");
    if (kind === "frame" && !Number.isFinite(time)) {
      throw new EngineError(`The time of frame ${frame} is ${time}.`, "Give seconds.");
    }
    return await reader.read(bitmap);
  } finally {
    bitmap?.close();
  }
}

function noteLate({ms, pixels}) {
  reader.takeBack(pixels);
  postMessage({kind: "detected", ms, isOwn: true});
}

function fail(error) {
  const cure = error instanceof EngineError ? error.cure : "Load the page again.";
  postMessage({kind: "failed", message: String(error?.message ?? error), cure});
}
