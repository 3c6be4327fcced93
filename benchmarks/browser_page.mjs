// What benchmarks/browser.py runs in the browser: the engine of the page on frames that come as PNG files.

import {Detector} from "/engine/detector.js";
import {FrameReader} from "/engine/frame_reader.js";
import {LandmarkNetwork} from "/engine/landmarks.js";
import {compileRuntime, openNetwork, openRuntime} from "/engine/networks.js";

const WASM = {module: "/vendor/ort.wasm.bundle.min.mjs", binary: "/vendor/ort-wasm-simd-threaded.wasm"};

/** A frame's pixels as they are: no colour management, no alpha. */
async function frameOf(index) {
  const response = await fetch(`/frames/${index}.png`);
  return createImageBitmap(await response.blob(), {colorSpaceConversion: "none", premultiplyAlpha: "none"});
}

/** Points in given crops, without detector and tracker: [frame, matrix] -> 136 numbers, and the crop's pixels. */
export async function pointsIn(model, crops) {
  const runtime = openRuntime(WASM.module, compileRuntime(WASM.binary));
  const network = new LandmarkNetwork(await openNetwork(runtime, `/models/${model}.onnx`), model);
  const reader = new FrameReader();
  const found = [];
  for (const [index, matrix] of crops) {
    const bitmap = await frameOf(index);
    const picture = await reader.read(bitmap);
    const [{points}] = await network.locate(picture, [matrix]);
    const planes = new Float32Array(3 * network.spec.size ** 2);
    picture.cropInto(matrix, network.spec.size, planes, 0);
    found.push({points: Array.from(points), crop: btoa(String.fromCharCode(...planes))});
    bitmap.close();
  }
  return found;
}

/** Boxes of the detector: frame -> rows of x0, y0, x1, y1, score. */
export async function boxesIn(indices) {
  const runtime = openRuntime(WASM.module, compileRuntime(WASM.binary));
  const detector = new Detector(await openNetwork(runtime, "/models/yunet.onnx"));
  const reader = new FrameReader();
  const found = [];
  for (const index of indices) {
    const bitmap = await frameOf(index);
    const boxes = await detector.detect(await reader.read(bitmap));
    found.push(boxes.map(({box, score}) => [...box, score]));
    bitmap.close();
  }
  return found;
}

/**
 * The worker on every frame in turn, as the page uses it: of a video, or of a camera. Those come at their times at the
 * earliest, and the detector has a worker of its own.
 */
export async function follow(model, times, options, isLive) {
  const worker = new Worker("/engine/worker.js", {type: "module"});
  const messages = [];
  let wake = () => {};
  worker.onmessage = ({data}) => {
    messages.push(data);
    wake();
  };
  worker.onerror = ({message}) => {
    messages.push({kind: "failed", message: message || "the worker did not start", cure: ""});
    wake();
  };
  const next = async (kind) => {
    for (;;) {
      while (messages.length) {
        const message = messages.shift();
        if (message.kind === "failed") throw new Error(`${message.message} ${message.cure}`);
        if (message.kind === "detected") detections.push(message.ms);
        if (message.kind === kind) return message;
      }
      await new Promise((resolve) => (wake = resolve));
    }
  };
  const detections = [];
  const models = Object.fromEntries(
    [["detector", "yunet"], ["landmarks", model], ["eyes", "fkp-eyes"], ["expression", "fkp-expression"]].map(
      ([part, name]) => [part, `/models/${name}.onnx`],
    ),
  );
  const opened = performance.now();
  worker.postMessage({kind: "open", base: location.href, models, wasm: WASM, options});
  await next("ready");
  const ready = performance.now() - opened;
  const {isOwn} = await next("detector");
  let start = null;
  const [results, timings] = [[], []];
  for (const [index, time] of times.entries()) {
    const bitmap = await frameOf(index);
    start ??= performance.now() - 1000 * time;
    if (isLive) await new Promise((resolve) => setTimeout(resolve, start + 1000 * time - performance.now()));
    worker.postMessage({kind: "frame", frame: index, time, bitmap, isLive}, [bitmap]);
    const message = await next("result");
    results.push(message.result);
    timings.push(message.timings);
  }
  worker.terminate();
  return {results, timings, detections, ready, isOwn};
}
