/** What the networks need of a browser. */

import { lacking } from "./messages.js";

/** A module of one function with one SIMD instruction: `WebAssembly.validate` refuses it where there is no SIMD. */
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11
]);

/** The failure that names what is missing; null where everything is there. */
export function missing() {
  if (typeof WebAssembly !== "object") return lacking("WebAssembly");
  if (!WebAssembly.validate(SIMD)) return lacking("WebAssembly SIMD");
  if (typeof Worker !== "function") return lacking("workers");
  if (typeof OffscreenCanvas !== "function") return lacking("OffscreenCanvas");
  if (typeof createImageBitmap !== "function") return lacking("ImageBitmap");
  return null;
}
