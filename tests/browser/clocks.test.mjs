import assert from "node:assert/strict";
import test from "node:test";

import {SceneCut, sceneGrid} from "../../fkp_live/server/static/engine/scene_cut.js";
import {SteadyTime} from "../../fkp_live/server/static/engine/steady_time.js";
import {viewsFor} from "../../fkp_live/server/static/engine/views.js";
import {golden, near} from "./golden.mjs";

const {times, pictures, views} = golden("clocks");

test("steady time of timestamps that go back by a little and by much", () => {
  const steady = new SteadyTime();
  assert.ok(times.some(([, , beganAnew]) => beganAnew));
  for (const [stamp, time, beganAnew] of times) {
    const found = steady.next(stamp);
    near([found.time], [time], 1e-9);
    assert.equal(found.beganAnew, beganAnew);
  }
});

test("scene cuts of brighter and darker pictures and of another size", () => {
  const cut = new SceneCut();
  for (const {size, shape, samples, cut: expected} of pictures) {
    const {columns, rows} = sceneGrid(...size);
    assert.deepEqual([rows, columns], shape);
    assert.equal(cut.see(samples, ...size), expected);
  }
});

test("views of the detector for small, large and very long pictures", () => {
  for (const {size, most, views: expected} of views) {
    const found = viewsFor(...size, 40, most);
    assert.equal(found.length, expected.length);
    found.forEach((view, i) => {
      const numbers = [...view.region, ...view.size, ...view.centres, view.largest];
      const finite = numbers.map((number) => (Number.isFinite(number) ? number : null));
      finite.forEach((number, k) => {
        if (number === null || expected[i][k] === null) assert.equal(number, expected[i][k]);
        else near([number], [expected[i][k]], 1e-6);
      });
    });
  }
});
