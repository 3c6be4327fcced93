// Golden vectors, and comparisons with them.

import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {gunzipSync} from "node:zlib";

const ARRAYS = {f4: Float32Array, f8: Float64Array, i2: Int16Array, u1: Uint8Array};

/** The vectors of one file, with typed arrays where Python packed some. */
export function golden(name) {
  const text = gunzipSync(readFileSync(new URL(`golden/${name}.json.gz`, import.meta.url))).toString();
  return JSON.parse(text, (_, value) => {
    const [[kind, packed] = []] = value && typeof value === "object" ? Object.entries(value) : [];
    if (!(kind in ARRAYS) || typeof packed !== "string") return value;
    const bytes = Uint8Array.from(Buffer.from(packed, "base64"));
    return new ARRAYS[kind](bytes.buffer);
  });
}

/** Largest difference of two lists of numbers. */
export function off(found, expected) {
  assert.equal(found.length, expected.length);
  let most = 0;
  for (let i = 0; i < found.length; i++) {
    const each = Math.abs(found[i] - expected[i]);
    assert.ok(each >= 0, `number ${i} is ${found[i]}, expected ${expected[i]}`);
    most = Math.max(most, each);
  }
  return most;
}

/** Fails where a number is further off than `most`. */
export function near(found, expected, most, what = "numbers") {
  const difference = off(found, expected);
  assert.ok(difference <= most, `${what}: off by ${difference}, at most ${most} expected`);
}
