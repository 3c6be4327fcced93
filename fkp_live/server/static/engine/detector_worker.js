/**
 * The worker of the detector alone, which worker.js starts; see late_detector.js.
 *
 * Messages to it:
 *   {kind: "open", module, wasm, detector}   URL of onnxruntime-web, its compiled WebAssembly, URL of the network
 *   {kind: "detect", picture}                `Handed` of late_detector.js; its pixels are transferred, to and fro
 * and from it, one for each: {kind: "ready"}, {kind: "detected", detections, ms, pixels}, {kind: "failed", message}
 */

import {Detector} from "./detector.js";
import {StretchedPicture} from "./low_light.js";
import {openNetwork, openRuntime} from "./networks.js";
import {Picture} from "./picture.js";

/** @type {Detector | null} */
let detector = null;

self.onmessage = ({data}) => answer(data).catch((error) => postMessage({kind: "failed", message: String(error?.message ?? error)}));

async function answer({kind, picture, module, wasm, detector: url}) {
  if (kind === "open") {
    detector = new Detector(await openNetwork(openRuntime(module, wasm), url));
    // The first run is slow: it allocates, and the browser compiles its loops.
    await detector.detect(new Picture(new Uint32Array(64 * 64), 64, 64));
    postMessage({kind: "ready"});
    return;
  }
  const {pixels, width, height, level} = picture;
  const start = performance.now();
  const plain = new Picture(pixels, width, height);
  const detections = await detector.detect(level === null ? plain : new StretchedPicture(plain, level));
  postMessage({kind: "detected", detections, ms: performance.now() - start, pixels}, [pixels.buffer]);
}
