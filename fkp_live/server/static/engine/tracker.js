/**
 * Multi-face tracking: ids, detection schedule, crop prediction, as fkp_live/faces/tracker.py.
 *
 * One thing is different: detections may be of an earlier frame, because the detector runs after a frame was answered, or
 * beside the frames that follow. They are matched with where the faces were at that time.
 */

import {assign} from "./assignment.js";
import {tracker as constants} from "./constants.js";
import {CropFollower, rollOf} from "./crop_follower.js";
import {boxOf, cropMatrix, iou, sideOf} from "./geometry.js";
import {SteadyTime} from "./steady_time.js";

/**
 * @typedef {import("./detector.js").FaceBox} FaceBox
 * @typedef {{box: Float32Array, centre: [number, number], side: number, time: number}} Place
 * @typedef {{track: Track | null, detection: FaceBox | null}} Target a followed or lost face, a detection, or both
 * @typedef {{matrices: import("./geometry.js").Matrix[], targets: Target[], time: number, width: number,
 *   height: number}} Plan
 */

/** One followed face: see `Track` in Python. Times in seconds, lengths in pixels. */
class Track {
  constructor(id, points, confidence, box, score, time, follower) {
    Object.assign(this, {id, points, confidence, box, score, time, follower});
    this.velocity = [0, 0];
    this.missed = 0;
    /** @type {Place[]} of the last frames, oldest first, for detections that come late */
    this.trail = [];
    this.measure();
    this.notePath(time);
  }

  /** Set centre and side from the box, and note the place. */
  measure() {
    const {box, time, trail} = this;
    const [x0, y0, x1, y1] = box;
    this.centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.side = Math.max(x1 - x0, y1 - y0);
    trail.push({box, centre: this.centre, side: this.side, time});
    while (trail[0].time < time - constants.pathSeconds) trail.shift();
  }

  /** @param {number} time @returns {Place} where it was in the frame of that time, or the place nearest to it that is known */
  at(time) {
    let found = this.trail[0];
    for (const place of this.trail) if (place.time <= time) found = place;
    return found;
  }

  /** Take centre and velocity at `time` as its path. */
  notePath(time) {
    this.path = {centre: this.centre, velocity: this.velocity, time};
  }

  /** @param {number} time @returns {[number, number]} centre that its path predicts for that time */
  expected(time) {
    const {centre, velocity, time: seen} = this.path;
    const ahead = Math.min(time - seen, constants.pathSeconds);
    return [centre[0] + velocity[0] * ahead, centre[1] + velocity[1] * ahead];
  }
}

/**
 * Decides when to detect, keeps ids, and gives the crops of each frame. For each frame `look`, `plan` and `update`, in
 * this order.
 */
export class Tracker {
  /**
   * @param {import("./geometry.js").CropSpec} spec crop of the landmark network
   * @param {{detectEvery?: number, maxFaces?: number | null}} options
   */
  constructor(spec, {detectEvery = constants.detectEvery, maxFaces = null} = {}) {
    this.spec = spec;
    this.detectEvery = detectEvery;
    this.maxFaces = maxFaces;
    this._nextId = 1;
    this._steadyTime = new SteadyTime();
    this.reset();
  }

  /** Forget every face and the last picture; ids go on. */
  reset() {
    /** @type {Track[]} the faces of the last frame, largest first */
    this.tracks = [];
    /** @type {number[]} ids that the last frame ended */
    this.ended = [];
    /** @type {Track[]} */
    this._lost = [];
    /** @type {Plan | null} */
    this._plan = null;
    /** @type {number | null} frames since the last detection */
    this._since = null;
    this._justLost = this._cut = false;
    this._steadyTime.reset();
  }

  /**
   * A new frame.
   *
   * @param {number} timestamp seconds
   * @param {boolean} isCut whether it begins another scene
   * @returns {{time: number, isDue: boolean, isCut: boolean, isFirst: boolean}} steady time; whether a detection is due;
   *   whether this is another scene or another clock, so that no detection of an earlier frame may be used; whether no
   *   detection was used so far
   */
  look(timestamp, isCut) {
    const {time, beganAnew} = this._steadyTime.next(timestamp);
    this._cut = isCut || beganAnew;
    this._lost = this._cut ? [] : this._lost.filter((track) => time - track.time <= constants.reviveSeconds);
    this._time = time;
    const isFirst = this._since === null;
    const isDue = isFirst || this._cut || this._isDue(this._since + 1);
    return {time, isDue, isCut: this._cut, isFirst};
  }

  /** @returns {boolean} whether the detector should look at the frame of the last `update`, for the next one */
  wantsDetection() {
    return this._isDue(this._since ?? 0);
  }

  _isDue(frames) {
    const isSearching = this.tracks.length === 0 || this._lost.length > 0;
    const every = isSearching ? Math.min(this.detectEvery, constants.searchEvery) : this.detectEvery;
    return this._justLost || frames >= every;
  }

  /**
   * Where to look for landmarks in the frame that `look` was given.
   *
   * @param {{width: number, height: number}} size of the picture
   * @param {FaceBox[] | null} detections null where the detector did not run
   * @param {{time: number, frames: number}} seen when the detections were seen: steady time, and how many frames ago
   * @returns {Plan}
   */
  plan({width, height}, detections, seen = {time: this._time, frames: 0}) {
    let targets;
    if (detections) {
      targets = this._match(detections, seen.time);
      this._since = seen.frames;
    } else {
      targets = this.tracks.map((track) => ({track, detection: null}));
      this._since = this._since === null ? 0 : this._since + 1;
    }
    const matrices = targets.map((target) => this._matrix(target, this._time));
    this._plan = {matrices, targets, time: this._time, width, height};
    return this._plan;
  }

  /**
   * The faces that are in the frame, largest first, from the landmarks in the plan's crops.
   *
   * @param {Plan} plan the last one
   * @param {import("./landmarks.js").Landmarks[]} landmarks of the plan's crops, in their order
   * @returns {Track[]}
   */
  update(plan, landmarks) {
    if (plan !== this._plan) throw new Error("This plan was used before or is not the last one.");
    this._plan = null;
    const {time} = plan;
    const before = this.tracks;
    this.tracks = [];
    plan.targets.forEach((target, i) => {
      const {points, confidence} = landmarks[i];
      const box = boxOf(points);
      const mean = confidence.reduce((sum, each) => sum + each, 0) / confidence.length;
      if (!this._isFace(target, points, box, mean, plan)) return;
      const old = target.track;
      // A track that is later than the frame is of a clock that began anew.
      if (old === null || this._lost.includes(old) || old.time > time) {
        this._begin(target, points, confidence, box, mean, time);
      } else {
        this._continue(old, target, points, confidence, box, mean, time);
      }
    });
    this._resolveOverlaps(time);
    const ids = new Set(this.tracks.map((track) => track.id));
    const gone = before.filter((track) => !ids.has(track.id));
    this.ended = gone.map((track) => track.id);
    this._justLost = gone.length > 0;
    this._lost = [...this._lost.filter((track) => !ids.has(track.id)), ...(this._cut ? [] : gone)];
    this.tracks.sort((a, b) => b.side - a.side);
    return this.tracks;
  }

  /** Detections matched with tracks, lost ones among them; each one that is left becomes a new face. */
  _match(detections, time) {
    const known = [...this.tracks, ...this._lost];
    const pairs = assign(known.map((track) => detections.map(({box}) => this._cost(track, box, time))));
    const targets = [];
    known.forEach((track, i) => {
      const detection = pairs.has(i) ? carriedOn(detections[pairs.get(i)], track, time, this._time, i < this.tracks.length) : null;
      if (i < this.tracks.length) {
        track.missed = detection ? 0 : track.missed + 1;
        // After a cut only a face that the detector sees in the same place may be the same.
        if (detection || !this._cut) targets.push({track, detection});
      } else if (detection) {
        targets.push({track, detection});
      }
    });
    const taken = new Set(pairs.values());
    detections.forEach((detection, j) => {
      if (!taken.has(j)) targets.push({track: null, detection});
    });
    if (this.maxFaces === null) return targets;
    const isNew = ({track}) => track === null || this._lost.includes(track);
    const kept = targets.filter((target) => !isNew(target));
    const added = targets.filter(isNew).sort((a, b) => sideOf(b.detection.box) - sideOf(a.detection.box));
    return [...kept, ...added.slice(0, Math.max(this.maxFaces - kept.length, 0))];
  }

  /** Cost of taking a detection for a face: lower fits better, Infinity is impossible. */
  _cost(track, box, time) {
    const isLate = time < track.time;
    const seen = isLate ? track.at(time) : track;
    const expected = isLate ? seen.centre : track.expected(time);
    const moved = [expected[0] - seen.centre[0], expected[1] - seen.centre[1]];
    const overlap = iou(Array.from(seen.box, (side, i) => side + moved[i % 2]), box);
    const off = [(box[0] + box[2]) / 2 - expected[0], (box[1] + box[3]) / 2 - expected[1]];
    const distance = Math.hypot(...off) / seen.side;
    const side = sideOf(box);
    const ratio = Math.max(side / seen.side, seen.side / Math.max(side, 1e-3));
    if (this._lost.includes(track)) {
      // A lost face may have gone on for a while; the longer, the farther. Followed ones come first.
      const since = Math.max(time - track.time, 0);
      const isSame = distance < 2 * constants.matchDistance + since && ratio < constants.maxGrowth;
      return isSame ? 2 + distance : Infinity;
    }
    let isSame = overlap > constants.matchIouAfterCut;
    if (!this._cut) {
      const isNear = distance < constants.matchDistance && ratio < 2 * constants.maxGrowth;
      isSame = overlap > constants.matchIou || isNear;
    }
    return isSame ? 1 - overlap + distance : Infinity;
  }

  _matrix({track, detection}, time) {
    const isAnew = track === null || this._lost.includes(track);
    if (detection && (isAnew || iou(track.box, detection.box) < constants.recropIou)) {
      if (track) track.follower.restart();
      return cropMatrix(detection.box, this.spec, turnOf(track));
    }
    const seconds = Math.max(time - track.time, 0);
    const step = [track.velocity[0] * seconds, track.velocity[1] * seconds];
    const leads = Math.hypot(...step) > constants.leadAbove * track.side;
    return track.follower.follow(track.points, leads ? step : [0, 0]);
  }

  /** Whether the points of a crop are a face, by confidence, shape, place and size. */
  _isFace({track, detection}, points, box, mean, {width, height}) {
    const isFollowed = track !== null && !this._lost.includes(track) && track.missed < constants.maxMissed;
    // "not >=" so that NaN is not a face.
    if (!(mean >= (isFollowed ? constants.minConfidenceFollowed : constants.minConfidenceNew))) return false;
    const [x0, y0, x1, y1] = box;
    const [across, down] = [x1 - x0, y1 - y0];
    const side = Math.max(across, down);
    const isShaped = constants.minAspect * down < across && across < constants.maxAspect * down;
    if (!(side >= constants.minSide && isShaped)) return false;
    if (x0 < 0 || y0 < 0 || x1 > width - 1 || y1 > height - 1) {
      let inside = 0;
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = [points[i], points[i + 1]];
        if (x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1) inside += 1;
      }
      if (inside / (points.length / 2) < constants.minInside) return false;
    }
    const known = detection ? sideOf(detection.box) : track.side;
    return known / constants.maxGrowth < side && side < known * constants.maxGrowth;
  }

  _begin({track, detection}, points, confidence, box, mean, time) {
    const id = track ? track.id : this._nextId++;
    const score = detection ? detection.score : mean;
    this.tracks.push(new Track(id, points, confidence, box, score, time, new CropFollower(this.spec)));
  }

  _continue(track, {detection}, points, confidence, box, mean, time) {
    const [was, seconds] = [track.centre, Math.max(time - track.time, 1e-3)];
    Object.assign(track, {points, confidence, box, time});
    track.measure();
    track.score = detection ? detection.score : mean;
    const share = 1 - Math.exp(-seconds / constants.velocitySeconds);
    track.velocity = track.velocity.map((v, i) => v + share * ((track.centre[i] - was[i]) / seconds - v));
    this.tracks.push(track);
  }

  /** Drop the wrong one of two tracks on one face, and note the paths of those that are apart. */
  _resolveOverlaps(time) {
    const {tracks} = this;
    const dropped = new Set();
    tracks.forEach((a, i) => {
      for (const b of tracks.slice(i + 1)) {
        if (dropped.has(a) || dropped.has(b) || !(iou(a.box, b.box) > constants.mergeIou)) continue;
        dropped.add(isWrongOne(a, b, time) ? a : b);
      }
    });
    for (const track of tracks) {
      const isApart = tracks.every((other) => other === track || iou(track.box, other.box) < constants.apartIou);
      if (isApart) track.notePath(time);
    }
    this.tracks = tracks.filter((track) => !dropped.has(track));
  }
}

/**
 * A detection of `time`, moved as its face has moved on since then: as it was seen to, or where it was lost, as fast as it
 * was.
 *
 * @returns {FaceBox}
 */
function carriedOn(detection, track, time, now, isFollowed) {
  if (time === now || (time === track.time && isFollowed)) return detection;
  const {centre} = track.at(time);
  const seconds = Math.min(now - time, constants.pathSeconds);
  const moved = track.centre.map((place, i) => (time < track.time ? place - centre[i] : track.path.velocity[i] * seconds));
  return {...detection, box: detection.box.map((side, i) => side + moved[i % 2])};
}

/** Whether `a` rather than `b` slipped onto the other's face: it is off its path, else the younger. */
function isWrongOne(a, b, time) {
  const [offA, offB] = [a, b].map((track) => {
    const [x, y] = track.expected(time);
    return Math.hypot(track.centre[0] - x, track.centre[1] - y) / track.side;
  });
  return Math.abs(offA - offB) > constants.offPath ? offA > offB : a.id > b.id;
}

/** The roll of a followed face that the detector's upright boxes do not fit, else 0. */
function turnOf(track) {
  const roll = track ? rollOf(track.points) : 0;
  return Math.abs(roll) > constants.turned ? roll : 0;
}
