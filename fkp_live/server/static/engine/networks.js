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
 * The WebAssembly of onnxruntime-web. Other workers may have the same module, which is compiled once then.
 *
 * @param {string} url of ort-wasm-simd-threaded.wasm; compressed only by Content-Encoding
 * @returns {Promise<WebAssembly.Module>}
 */
export async function compileRuntime(url) {
  if (!WebAssembly.validate(SIMD)) {
    throw new EngineError(
      "This browser cannot run WebAssembly SIMD, which the networks need.",
      "Use Chrome or Edge from 91, Firefox from 89 or Safari from 16.4 on, with WebAssembly switched on.",
    );
  }
  const response = await answered(url);
  // Compiled while it comes; browsers do that only where the server names the type.
  const isNamed = response.headers?.get("Content-Type") === "application/wasm";
  try {
    return await (isNamed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (error) {
    throw missing(url, error);
  }
}

/**
 * onnxruntime-web with one thread, which needs no cross-origin isolation.
 *
 * @param {string} url of ort.wasm.bundle.min.mjs
 * @param {WebAssembly.Module | Promise<WebAssembly.Module>} compiled as `compileRuntime` gives it
 * @returns {Promise<object>}
 */
export async function openRuntime(url, compiled) {
  const importing = import(url).catch((error) => {
    throw missing(url, error);
  });
  const [ort, wasm] = await Promise.all([importing, compiled]);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = instantiated(wasm);
  return ort;
}

/**
 * onnxruntime-web takes bytes only, and compiles them. These bytes are empty and stand for a module: where they are to be
 * instantiated, the module is.
 *
 * @param {WebAssembly.Module} module
 * @returns {ArrayBuffer}
 */
function instantiated(module) {
  const bytes = new ArrayBuffer(8);
  const {instantiate} = WebAssembly;
  WebAssembly.instantiate = async (source, imports) => {
    if (source?.buffer !== bytes) return instantiate.call(WebAssembly, source, imports);
    return {module, instance: await instantiate.call(WebAssembly, module, imports)};
  };
  return bytes;
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
    const said = String(error.message ?? error);
    // What onnxruntime-web says where its WebAssembly did not start: that is of no fault of the network.
    const what = said.includes("no available backend") ? "onnxruntime-web could not be started" : `The network ${url} could not be opened`;
    throw new EngineError(
      `${what}: ${said}`,
      "Load the page again; if that does not help, close other tabs, because this one may be short of memory.",
    );
  });
  return new Network(ort, session);
}

/** @param {string} url @returns {Promise<Uint8Array>} */
async function loaded(url) {
  const response = await answered(url);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw missing(url, error); // the connection broke on the way
  }
}

/** @param {string} url @returns {Promise<Response>} one with the file */
async function answered(url) {
  const response = await fetch(url).catch((error) => {
    throw missing(url, error);
  });
  if (!response.ok) throw missing(url, `the server answered ${response.status}`);
  // Some servers answer with a page of theirs where there is no such file.
  if (response.headers?.get("Content-Type")?.startsWith("text/html")) throw missing(url, "the server answered with a page");
  return response;
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
