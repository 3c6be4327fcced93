// Which picture is painted, where browsers have no VideoFrame and pictures are copied.

import assert from "node:assert/strict";
import test from "node:test";

globalThis.ResizeObserver = class {
  observe() {}
};
/** A canvas that knows what was drawn on it last. */
function canvas() {
  const made = {width: 0, height: 0, drawn: null};
  made.getContext = () => ({drawImage: (image) => (made.drawn = image.drawn ?? image)});
  return made;
}
globalThis.document = {createElement: canvas};

const {Stage} = await import("../../fkp_live/server/static/web/stage.js");

test("bitmaps of a camera stay as they were while two of them are with the networks", () => {
  const stage = new Stage(canvas());
  const bitmaps = ["a", "b", "c", "d", "e"].map((name) => ({name, width: 4, height: 2}));
  bitmaps.slice(0, 2).forEach((each) => stage.hold(each));
  const shown = bitmaps.slice(2).map((next) => {
    stage.advance();
    stage.hold(next);
    return stage.shown.image.drawn.name;
  });
  assert.deepEqual(shown, ["a", "b", "c"]);
});
