// Who waits for networks, where others are chosen meanwhile.

import assert from "node:assert/strict";
import test from "node:test";

import {Networks} from "../../fkp_live/server/static/web/networks.js";

globalThis.setInterval = () => {};
const workers = [];
globalThis.Worker = class {
  constructor() {
    workers.push(this);
  }

  postMessage() {}

  terminate() {}
};

test("who waits for networks goes on with those that were opened last", async () => {
  const networks = new Networks();
  const waits = ["fkp68", "fkp68-tiny", "fkp68-int8"].map((model) => networks.open(model, {}));
  workers[2].onmessage({data: {kind: "ready", ms: 3}});
  assert.deepEqual((await Promise.all(waits)).map(({ms}) => ms), [3, 3, 3]);
});

test("what they fail at is said to all who wait", async () => {
  const said = [];
  const networks = new Networks(null, null, (failure) => said.push(failure.message));
  const waits = ["fkp68", "fkp68-tiny"].map((model) => networks.open(model, {}));
  workers.at(-1).onmessage({data: {kind: "failed", message: "gone", cure: "none"}});
  const found = await Promise.allSettled(waits);
  assert.deepEqual(found.map(({reason}) => reason.message), ["gone", "gone"]);
  assert.deepEqual(said, ["gone"]);
});
