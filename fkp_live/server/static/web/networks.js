/** The worker in which the networks run: one picture at a time goes in, and its result comes out. */

import { asFailure, Failure, missingFile, workerCrashed } from "./messages.js";
import { firstMissing } from "./missing_file.js";

const BASE = new URL("../", import.meta.url);
const WASM = {
  module: address("vendor/ort.wasm.bundle.min.mjs"),
  binary: address("vendor/ort-wasm-simd-threaded.wasm")
};

/** Seconds after which a worker that has not answered a frame is given up; large pictures may take longer. */
const PATIENCE = 20;

export class Networks {
  /**
   * @param {(answer: {result: object, timings: object, kind: string}) => void} onResult
   * @param {(news: {kind: "detected"|"detector", ms?: number, isOwn: boolean, why?: string}) => void} onDetector it looked at
   *   a frame, or whether it has a worker of its own
   * @param {(failure: Failure) => void} onFailure the worker is gone; `open` starts another one
   */
  constructor(onResult, onDetector, onFailure) {
    this.onResult = onResult;
    this.onDetector = onDetector;
    this.onFailure = onFailure;
    this.worker = null;
    /** Pictures that were not answered yet; whether they are frames, and for how many seconds no answer came. */
    this.pending = 0;
    this.isFrame = false;
    this.waited = 0;
    // Counted, so that the time in which a computer sleeps is none.
    setInterval(() => this.wait(), 1000);
    /** Resolves once the networks can be used; null where no worker is open. */
    this.ready = null;
  }

  /**
   * Start the worker and load the networks; an open worker is ended first.
   * @param {string} model name of the landmark network
   * @param {object} options smooth, detectEvery, maxFaces, expression
   */
  open(model, options) {
    this.close();
    const worker = new Worker(address("engine/worker.js"), { type: "module" });
    this.worker = worker;
    const earlier = this.resolve;
    this.ready = new Promise((resolve, reject) => {
      [this.resolve, this.reject] = [resolve, reject];
      worker.onmessage = ({ data }) => {
        if (data.kind === "ready") resolve(data);
        else if (data.kind === "failed") this.fail(new Failure(data.message, data.cure || "Reload the page."));
        else if (data.kind === "result") this.answer(data);
        else this.onDetector(data);
      };
      worker.onerror = async (event) => {
        event.preventDefault();
        // Without a message it is a script that was not found or could not be read; the browser does not say which.
        const failure = event.message ? workerCrashed(event.message) : await firstMissing("engine/");
        if (worker === this.worker) this.fail(failure ?? missingFile("A script of the page"));
      };
      worker.onmessageerror = () => this.fail(workerCrashed("an answer could not be read"));
    });
    this.ready.catch(() => {}); // said by onFailure
    // Who still waits for a worker that was ended waits for this one.
    earlier?.(this.ready);
    // The one of expressions is loaded once it is asked for.
    const names = ["yunet", model, "fkp-eyes", "fkp-expression"];
    const [detector, landmarks, eyes, expression] = names.map((name) => address(`models/${name}.onnx`));
    const models = { detector, landmarks, eyes, expression };
    worker.postMessage({ kind: "open", base: BASE.href, models, wasm: WASM, options });
    return this.ready;
  }

  close() {
    this.worker?.terminate();
    this.worker = this.ready = null;
    this.pending = 0;
  }

  /** Look at a frame of a stream; the picture is handed over and closed there. */
  frame(picture, frame, time, isLive, stream) {
    this.send({ kind: "frame", frame, time, bitmap: picture, isLive, stream }, picture);
  }

  /** Look at a single picture, without memory of others. */
  picture(picture, stream) {
    this.send({ kind: "picture", frame: 0, time: 0, bitmap: picture, stream }, picture);
  }

  /** Forget the faces: another stream begins. */
  reset() {
    this.worker?.postMessage({ kind: "reset" });
  }

  /** What the faces show now is their neutral face, from which measures and expressions are counted. */
  neutral() {
    this.worker?.postMessage({ kind: "neutral" });
  }

  /** Change options of what comes. */
  options(options) {
    this.worker?.postMessage({ kind: "options", options });
  }

  send(message, picture) {
    if (!this.pending) this.waited = 0;
    this.pending += 1;
    this.isFrame = message.kind === "frame";
    this.worker.postMessage(message, [picture]);
  }

  answer(data) {
    this.pending -= 1;
    this.waited = 0;
    this.onResult(data);
  }

  wait() {
    if (!this.pending || !this.isFrame || ++this.waited < PATIENCE) return;
    this.fail(workerCrashed("no answer came"));
  }

  fail(failure) {
    this.close();
    this.reject(failure);
    this.onFailure(asFailure(failure));
  }
}

function address(path) {
  return new URL(path, BASE).href;
}
