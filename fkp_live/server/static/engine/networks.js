/** Opening of ONNX models with onnxruntime-web, and runs of them. */

/** An error that names its cure, for people. */
export class EngineError extends Error {
  /** @param {string} message what is wrong @param {string} cure what helps */
  constructor(message, cure) {
    super(message);
    this.cure = cure;
  }
}

/** One open model. */
export class Network {
  /** @param {object} ort onnxruntime-web @param {object} session */
  constructor(ort, session) {
    this._ort = ort;
    this._session = session;
  }

  /**
   * @param {Record<string, [Float32Array, number[]]>} inputs data and shape by name
   * @returns {Promise<Record<string, Float32Array>>} outputs by name
   */
  async run(inputs) {
    const feeds = {};
    for (const [name, [data, shape]] of Object.entries(inputs)) {
      feeds[name] = new this._ort.Tensor("float32", data, shape);
    }
    const outputs = await this._session.run(feeds);
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
  }
}

/**
 * onnxruntime-web with one thread, which needs no cross-origin isolation.
 *
 * @param {string} module URL of ort.wasm.bundle.min.mjs
 * @param {string} binary URL of ort-wasm-simd-threaded.wasm; compressed only by Content-Encoding
 * @returns {Promise<object>}
 */
export async function openRuntime(module, binary) {
  if (!WebAssembly.validate(SIMD)) {
    throw new EngineError(
      "This browser cannot run WebAssembly SIMD, which the networks need.",
      "Use Chrome or Edge from 91, Firefox from 89 or Safari from 16.4 on, with WebAssembly switched on.",
    );
  }
  const ort = await import(module).catch((error) => {
    throw missing(module, error);
  });
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  // An object, because of a folder a third file would be fetched.
  ort.env.wasm.wasmPaths = {wasm: binary};
  return ort;
}

/**
 * @param {Promise<object>} runtime as `openRuntime` gives it
 * @param {string} url of an .onnx file
 * @returns {Promise<Network>}
 */
export async function openNetwork(runtime, url) {
  const [ort, bytes] = await Promise.all([runtime, loaded(url)]);
  const options = {executionProviders: ["wasm"], intraOpNumThreads: 1, graphOptimizationLevel: "all"};
  const session = await ort.InferenceSession.create(bytes, options).catch((error) => {
    throw new EngineError(
      `The network ${url} could not be opened: ${error.message ?? error}`,
      "Load the page again; if that does not help, close other tabs, because this one may be short of memory.",
    );
  });
  return new Network(ort, session);
}

/** @param {string} url @returns {Promise<Uint8Array>} */
async function loaded(url) {
  const response = await fetch(url).catch((error) => {
    throw missing(url, error);
  });
  if (!response.ok) throw missing(url, `the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @returns {EngineError} of a file that did not come */
const missing = (url, error) =>
  new EngineError(
    `${url} could not be loaded: ${error.message ?? error}`,
    "Check that the server still runs and serves the whole folder, then load the page again.",
  );

// The smallest module with a SIMD instruction: (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt).
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
