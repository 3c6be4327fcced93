// Which frames go to the networks, which are dropped, and which picture is painted with an answer.

import assert from "node:assert/strict";
import test from "node:test";

import {Feed} from "../../fkp_live/server/static/web/feed.js";

/** Networks that keep what they are asked, a stage that keeps names of pictures, and a feed between. */
function made() {
  const asked = [];
  const networks = {
    pending: 0,
    reset() {},
    frame(picture, frame, time, isLive, stream) {
      this.pending += 1;
      asked.push({picture, frame, time, isLive, stream});
    },
    picture(picture, stream) {
      this.frame(picture, 0, null, false, stream);
    },
  };
  const stage = {
    held: [], shown: null, painted: 0,
    hold({name}) {
      this.held.push(name);
    },
    advance() {
      if (this.held.length) this.shown = this.held.shift();
    },
    forget() {
      this.held = [];
    },
    paint() {
      this.painted += 1;
    },
  };
  const feed = new Feed(networks, stage);
  feed.ready = true;
  const answer = () => {
    networks.pending -= 1;
    return feed.answered(asked.shift().stream);
  };
  return {feed, networks, stage, asked, answer};
}

function picture(name) {
  return {name, closed: 0, close() {
    this.closed += 1;
  }};
}

test("two frames of a camera are with the networks, and of those that come meanwhile the newest waits", () => {
  const {feed, stage, asked, answer} = made();
  const frames = ["a", "b", "c", "d", "e"].map(picture);
  frames.forEach((frame, i) => feed.add(frame, i / 60, true));
  assert.deepEqual(asked.map(({picture: {name}, frame, time}) => [name, frame, time]), [["a", 0, 0], ["b", 1, 1 / 60]]);
  assert.deepEqual(frames.map(({closed}) => closed), [0, 0, 1, 1, 0]);
  assert.equal(feed.dropped, 2);
  const shown = [0, 1, 2].map(() => [answer(), stage.shown]);
  assert.deepEqual(shown, [[true, "a"], [true, "b"], [true, "e"]]);
  assert.deepEqual([asked.length, feed.count], [0, 3]);
});

test("of a video one frame at a time", () => {
  const {feed, asked, answer} = made();
  ["a", "b"].map(picture).forEach((frame, i) => feed.add(frame, i / 25));
  assert.equal(asked.length, 1);
  answer();
  assert.equal(asked[0].picture.name, "b");
});

test("answers to the stream before show nothing, and do not put pictures and answers out of step", () => {
  const {feed, stage, answer} = made();
  ["a", "b", "c"].map(picture).forEach((frame, i) => feed.add(frame, i, true));
  feed.begin();
  feed.add(picture("x"), 0, true);
  assert.deepEqual([answer(), stage.shown], [false, null]);
  assert.deepEqual([answer(), stage.shown], [false, null]);
  assert.deepEqual([answer(), stage.shown], [true, "x"]);
});

test("while the networks load, people see themselves; what went to networks that were closed is not painted", () => {
  const {feed, networks, stage, answer, asked} = made();
  ["a", "b"].map(picture).forEach((frame, i) => feed.add(frame, i, true));
  feed.ready = false;
  [networks.pending, asked.length] = [0, 0];
  feed.renew();
  feed.add(picture("x"), 2, true);
  feed.add(picture("c"), 3, true);
  assert.deepEqual([stage.shown, stage.painted, feed.dropped], ["c", 2, 0]);
  feed.ready = true;
  feed.next();
  assert.deepEqual([answer(), stage.shown, feed.count], [true, "c", 1]);
});
