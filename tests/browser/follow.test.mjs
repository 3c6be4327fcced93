// Frames of a video element: each once, and after a jump the one that it rests at, in whatever order the browser says so.

import assert from "node:assert/strict";
import test from "node:test";

import {Follower} from "../../fkp_live/server/static/web/follow.js";

/** A video that shows frames when it is told to, and the times of those that were handed on. */
function opened() {
  globalThis.createImageBitmap = async () => ({close() {}});
  const video = {readyState: 4, seeking: false, currentTime: 0, requestVideoFrameCallback(act) {
    this.show = (mediaTime) => act(0, {mediaTime});
  }};
  const given = [];
  const follower = new Follower(video, false, (_, time) => given.push(time));
  return {video, follower, given};
}

const turns = () => new Promise((resolve) => setTimeout(resolve));

test("each frame is given once", async () => {
  const {video, given} = opened();
  for (const time of [0, 0.04, 0.04, 0.08]) video.show(time);
  await turns();
  assert.deepEqual(given, [0, 0.04, 0.08]);
});

test("the times of a camera go on where they are told to", async () => {
  const [{video}, times] = [opened(), []];
  globalThis.VideoFrame = class { close() {} };
  const follower = new Follower(video, true, (_, time) => times.push(time), 2);
  video.show(100);
  video.show(100.5);
  await turns();
  assert.deepEqual(times, [2, 2.5]);
  follower.stop();
});

/** A jump whose frame and two events come in this order; times that were given before its first event, and all. */
async function jumped(...order) {
  const {video, follower, given} = opened();
  video.show(0.5);
  await turns();
  Object.assign(video, {seeking: true, currentTime: 2.03});
  let before = null;
  const act = {
    show: () => video.show(2),
    jump: () => {
      before = [...given];
      follower.jump();
    },
    land: () => {
      video.seeking = false;
      follower.land();
    },
  };
  for (const step of order) {
    act[step]();
    await turns();
  }
  return [before, given];
}

test("the frame of a jump comes after both of its events", async () => {
  assert.deepEqual(await jumped("jump", "land", "show"), [[0.5], [0.5, 2]]);
});

test("the frame of a jump comes between them", async () => {
  assert.deepEqual(await jumped("jump", "show", "land"), [[0.5], [0.5, 2]]);
});

test("the frame of a jump comes before them", async () => {
  assert.deepEqual(await jumped("show", "jump", "land"), [[0.5], [0.5, 2]]);
});

test("a frame of the place before the jump is not taken for the one after it", async () => {
  const {video, follower, given} = opened();
  Object.assign(video, {seeking: true, currentTime: 2.03});
  video.show(0.54);
  follower.jump();
  video.seeking = false;
  follower.land();
  video.show(2);
  await turns();
  assert.deepEqual(given, [2]);
});
