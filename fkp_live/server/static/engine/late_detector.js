/** The detector in a worker of its own: it looks at a frame while those that follow are answered. */

import {EngineError} from "./networks.js";

/**
 * @typedef {{pixels: Uint32Array, width: number, height: number, level: number | null}} Handed a picture for another
 *   worker: RGBA, and in dark streams the grey level that becomes white
 * @typedef {{detections: import("./detector.js").FaceBox[], ms: number, pixels: Uint32Array}} Answer milliseconds that
 *   it took; the pixels come back, whose memory can be used again
 */

/** Detects in another worker, one picture at a time. */
export class LateDetector {
  /** @param {Worker} worker @param {(why: string) => void} onLost the worker is gone, and why; called once */
  constructor(worker, onLost) {
    this._worker = worker;
    this._onLost = onLost;
    /** @type {{resolve: (answer: any) => void, reject: (error: Error) => void} | null} */
    this._asked = null;
    worker.onmessage = ({data}) => this._answer(data);
    worker.onmessageerror = () => this.lose("its answer could not be read");
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.lose(event.message || "engine/detector_worker.js or a file that it imports could not be loaded");
    };
  }

  /**
   * Start the worker.
   *
   * @param {{module: string, wasm: WebAssembly.Module, detector: string}} files URL of onnxruntime-web, its WebAssembly,
   *   URL of the detector
   * @param {(why: string) => void} onLost later
   * @returns {Promise<LateDetector>}
   * @throws {EngineError} it did not start
   */
  static async open(files, onLost) {
    // Browsers before 2022 have no workers of workers.
    if (typeof Worker !== "function") throw new EngineError("a worker can start no other one here", "Use a newer browser.");
    const worker = new Worker(new URL("./detector_worker.js", import.meta.url), {type: "module"});
    let isOpen = false;
    const made = new LateDetector(worker, (why) => isOpen && onLost(why));
    await made._ask({kind: "open", ...files});
    isOpen = true;
    return made;
  }

  /** Whether a picture is being looked at. */
  get busy() {
    return this._asked !== null;
  }

  /**
   * @param {{handed(): Handed}} picture its pixels are handed over: it cannot be used any more
   * @returns {Promise<Answer>}
   * @throws {EngineError} the worker was lost
   */
  detect(picture) {
    const handed = picture.handed();
    return this._ask({kind: "detect", picture: handed}, [handed.pixels.buffer]);
  }

  /** End the worker, where it is lost or does not answer. */
  lose(why) {
    this._worker.terminate();
    this._asked?.reject(new EngineError(why, ""));
    this._asked = null;
    this._onLost(why);
    this._onLost = () => {};
  }

  _ask(message, transferred = []) {
    return new Promise((resolve, reject) => {
      this._asked = {resolve, reject};
      this._worker.postMessage(message, transferred);
    });
  }

  _answer({kind, message, ...found}) {
    if (!this._asked) return;
    if (kind === "failed") {
      this.lose(message);
      return;
    }
    const {resolve} = this._asked;
    this._asked = null;
    resolve(found);
  }
}
