/**
 * The order of the stages: detect, landmarks, track, smooth, measure, as fkp_live/pipeline.py.
 *
 * `Pipeline` follows faces through a stream, `locateFaces` looks at a single picture. Of what Python does one thing is
 * left out: the search for faces that lie on their side or are upside down.
 */

import {expressions as expressionConstants, tracker as trackerConstants} from "./constants.js";
import {levelMatrix} from "./crop_follower.js";
import {FollowedExpressions} from "./expressions.js";
import {probabilities} from "./expression_network.js";
import {FollowedEyes} from "./followed_eyes.js";
import {boxOf, cropMatrix} from "./geometry.js";
import {headPose, seenConfidence} from "./head_pose.js";
import {brightened, LowLight} from "./low_light.js";
import {FollowedMeasures, measuresOf} from "./measures.js";
import {Blinks, openness} from "./openness.js";
import {SceneCut} from "./scene_cut.js";
import {LandmarkSmoother} from "./smoothing.js";
import {Tracker} from "./tracker.js";

/** Frames after which a detector in another worker that has not answered is given up. */
const PATIENCE = 300;
/** Seconds from one detection in line to the next, for faces that are too fast to be found late. */
const RUSH = 1;

/**
 * @typedef {import("./picture.js").Picture} Picture
 * @typedef {{detector: import("./detector.js").Detector, landmarks: import("./landmarks.js").LandmarkNetwork,
 *   expressions: import("./expression_network.js").ExpressionNetwork | null,
 *   eyes: import("./eyes.js").EyeNetwork | null, late?: import("./late_detector.js").LateDetector | null}} Engine
 *   without eyes their openness is that of the points; `late` is for live streams
 * @typedef {{smooth?: string, detectEvery?: number, maxFaces?: number | null, expression?: boolean}} Options
 * @typedef {{detect: number, landmarks: number, track: number, smooth: number, measure: number, total: number}} Timings
 *   milliseconds; `detect` is part of `total` only where the detector ran before the answer
 */

/** Follows the faces of one stream, frame by frame. */
export class Pipeline {
  /** @param {Engine} engine @param {Options} options */
  constructor(engine, {smooth, detectEvery, maxFaces = null, expression = false} = {}) {
    checkCounts({detectEvery, maxFaces});
    this.engine = engine;
    this._tracker = new Tracker(engine.landmarks.spec, {detectEvery: detectEvery ?? undefined, maxFaces});
    this._sceneCut = new SceneCut();
    this._lowLight = new LowLight();
    this._smoother = new LandmarkSmoother(smooth);
    this._blinks = new Blinks();
    this._eyes = engine.eyes ? new FollowedEyes(engine.eyes) : null;
    this._measures = new FollowedMeasures();
    this._expressions = expression && engine.expressions ? new FollowedExpressions(engine.expressions) : null;
    this._frame = 0;
    this.forgetDetections();
  }

  /** Forget every face, for another stream. */
  reset() {
    for (const part of this._parts()) part.reset();
    this._tracker.reset();
    this._sceneCut.reset();
    this._lowLight.reset();
    this.forgetDetections();
  }

  /** Drop detections that no frame has used, and one that is still to be made. */
  forgetDetections() {
    /** @type {{detections: import("./detector.js").FaceBox[], time: number, frame: number} | null} */
    this._waiting = null;
    /** @type {{picture: object, time: number, late: object | null} | null} */
    this._wanted = null;
    /** @type {{time: number, frame: number} | null} the frame that another worker looks at */
    this._asked = null;
    /** Whether a late detection missed a face, and when the detector last ran in line, in seconds. */
    this._isMissed = false;
    this._inLine = -Infinity;
  }

  /**
   * Other options from the next frame on; what is left out stays.
   *
   * @param {Options} options
   */
  setOptions({smooth, detectEvery, maxFaces, expression}) {
    checkCounts({detectEvery, maxFaces});
    // First, because it may refuse the level.
    if (smooth !== undefined && smooth !== this._smoother.level) this._smoother = new LandmarkSmoother(smooth);
    if (detectEvery !== undefined) this._tracker.detectEvery = detectEvery ?? trackerConstants.detectEvery;
    if (maxFaces !== undefined) this._tracker.maxFaces = maxFaces;
    if (expression !== undefined && expression !== (this._expressions !== null)) {
      const {expressions} = this.engine;
      this._expressions = expression && expressions ? new FollowedExpressions(expressions) : null;
    }
  }

  /** Take what all faces show now as their neutral face: from then on measures and expressions are relative to it. */
  setNeutral() {
    this._measures.setNeutral();
    this._expressions?.setNeutral();
  }

  /**
   * The faces of the next frame, largest first.
   *
   * A detection that is due runs after the answer, by `detectLater`. It runs before where nothing could be answered
   * without it: nobody is followed, or the scene is another one.
   *
   * In a live stream no frame waits for `engine.late`, which looks at a frame while the next ones are answered, also where
   * nobody is followed. Which frame gets its detections then depends on how long they take. A face that had moved on too
   * far is looked for before the answer, at most once a second.
   *
   * @param {Picture} picture
   * @param {number} timestamp seconds
   * @param {boolean} isLive whether frames that are not answered in time are lost
   * @returns {Promise<{faces: import("./frame_object.js").Face[], detected: boolean, timings: Timings}>}
   */
  async process(picture, timestamp, isLive = false) {
    const start = performance.now();
    // As the networks see it; cuts are looked for in the picture itself.
    const seen = this._lowLight.see(picture);
    const isCut = this._sceneCut.see(picture.samples(), picture.width, picture.height);
    const {time, isDue, isCut: isAnew, isFirst} = this._tracker.look(timestamp, isCut);
    this._frame += 1;
    const late = this._lateDetector(isLive);
    if (isAnew) this.forgetDetections();
    const waiting = this._waiting;
    this._waiting = null;
    const detecting = performance.now();
    const isMissed = this._isMissed && !(time - this._inLine < RUSH);
    const isAlone = !late && this._tracker.tracks.length === 0;
    const isNow = !waiting && (isMissed || (isDue && (isAnew || isFirst || isAlone)));
    if (isNow) [this._inLine, this._asked] = [time, null];
    const detections = isNow ? await this.engine.detector.detect(seen) : null;
    const detected = performance.now();
    const plan = waiting
      ? this._tracker.plan(picture, waiting.detections, {time: waiting.time, frames: this._frame - waiting.frame})
      : this._tracker.plan(picture, detections);
    const planned = performance.now();
    const landmarks = await this.engine.landmarks.locate(seen, plan.matrices);
    const located = performance.now();
    const tracks = this._tracker.update(plan, landmarks);
    const isKept = ({points}) => tracks.some((track) => track.points === points);
    this._isMissed = late !== null && waiting !== null && landmarks.some((face, i) => plan.targets[i].detection && !isKept(face));
    for (const id of this._tracker.ended) {
      for (const part of this._parts()) part.forget(id);
    }
    const canDetect = late ? !late.busy : tracks.length > 0;
    const isWanted = !isNow && canDetect && this._tracker.wantsDetection();
    this._wanted = isWanted ? {picture: seen, time, late} : null;
    const tracked = performance.now();
    const smooth = tracks.map((track) => this._smoother.smooth(track.id, track.points, time));
    const smoothed = performance.now();
    // Brightness is that of the picture itself here.
    const looks = await this._eyes?.see(picture, tracks, time);
    const faces = tracks.map((track, i) => this._face(track, smooth[i], time, looks?.[i] ?? null));
    if (this._expressions) {
      const shown = await this._expressions.see(seen, faces, time);
      faces.forEach((face, i) => (face.expression = shown[i]));
    }
    faces.sort(byArea);
    const end = performance.now();
    const timings = {
      detect: isNow ? detected - detecting : 0,
      landmarks: located - planned,
      track: detecting - start + planned - detected + tracked - located,
      smooth: smoothed - tracked,
      measure: end - smoothed,
      total: end - start,
    };
    return {faces, detected: isNow || isWanted, timings};
  }

  /**
   * After the answer: the detection that its frame wanted, for the next frame. Its picture must still be there.
   *
   * @param {(answer: import("./late_detector.js").Answer) => void} onLate gets what `engine.late` found, later; to it the
   *   picture is handed over
   * @returns {Promise<number>} milliseconds, 0 where no detection was due, or another worker makes it
   */
  async detectLater(onLate = () => {}) {
    if (!this._wanted) return 0;
    const {picture, time, late} = this._wanted;
    const frame = this._frame;
    this._wanted = null;
    if (late) {
      const asked = {time, frame};
      this._asked = asked;
      // One that was lost is no failure: without `engine.late` the next detection is made here.
      late.detect(picture).then((answer) => {
        if (this._asked === asked) [this._waiting, this._asked] = [{detections: answer.detections, time, frame}, null];
        onLate(answer);
      }, () => {});
      return 0;
    }
    const start = performance.now();
    this._waiting = {detections: await this.engine.detector.detect(picture), time, frame};
    return performance.now() - start;
  }

  /** `engine.late` where it is to be used. One that has hung is ended. */
  _lateDetector(isLive) {
    if (!isLive) this._asked = null; // what it still finds is of a live stream
    else if (this._asked && this._frame - this._asked.frame > PATIENCE) this.engine.late?.lose("it does not answer");
    return (isLive && this.engine.late) || null;
  }

  /** What keeps something for each track. */
  _parts() {
    const parts = [this._smoother, this._blinks, this._measures, this._eyes, this._expressions];
    return parts.filter((part) => part !== null);
  }

  _face(track, points, time, look) {
    const pose = headPose(points);
    const smooth = openness(points, look);
    // Smoothed points would make short blinks shallow.
    const raw = look || points === track.points ? smooth : openness(track.points);
    return {
      id: track.id,
      points,
      confidence: seenConfidence(track.confidence, pose, this.engine.landmarks.knowsTurned),
      box: boxOf(points),
      score: track.score,
      raw: track.points,
      pose,
      openness: {...smooth, blink: this._blinks.see(track.id, raw, pose.yaw, time)},
      measures: this._measures.see(track.id, points, pose, time),
      expression: null,
    };
  }
}

/**
 * The faces of a single picture, largest first, without memory from one to the next.
 *
 * @param {Engine} engine
 * @param {Picture} picture
 * @param {Options} options
 * @returns {Promise<{faces: import("./frame_object.js").Face[], detected: boolean, timings: Timings}>}
 */
export async function locateFaces(engine, picture, {maxFaces = null, expression = false} = {}) {
  const start = performance.now();
  const seen = brightened(picture);
  const finds = await engine.detector.detect(seen, null);
  const detected = performance.now();
  const {spec} = engine.landmarks;
  const first = await engine.landmarks.locate(seen, finds.map(({box}) => cropMatrix(box, spec)));
  const landmarks = await engine.landmarks.locate(seen, first.map(({points}) => levelMatrix(points, spec)));
  const located = performance.now();
  const looks = await engine.eyes?.look(picture, landmarks.map(({points}) => points));
  let faces = [];
  landmarks.forEach(({points, confidence}, i) => {
    const mean = confidence.reduce((sum, each) => sum + each, 0) / confidence.length;
    // "not >=" so that NaN is not a face.
    if (!(mean >= trackerConstants.minConfidenceNew)) return;
    const pose = headPose(points);
    faces.push({
      id: null,
      points,
      confidence: seenConfidence(confidence, pose, engine.landmarks.knowsTurned),
      box: boxOf(points),
      score: finds[i].score,
      raw: points,
      pose,
      openness: openness(points, looks?.[i] ?? null),
      measures: measuresOf(points, pose),
      expression: null,
    });
  });
  faces.sort(byArea);
  if (maxFaces !== null) faces = faces.slice(0, maxFaces);
  if (expression && engine.expressions) {
    const answers = await engine.expressions.look(seen, faces.map(({points}) => points), true);
    answers.forEach(({logits}, i) => {
      const shares = probabilities(logits);
      const confidence = Math.max(...shares);
      const label = expressionConstants.names[shares.indexOf(confidence)];
      faces[i].expression = {label, confidence, probabilities: shares};
    });
  }
  const end = performance.now();
  const timings = {
    detect: detected - start, landmarks: located - detected, track: 0, smooth: 0, measure: end - located,
    total: end - start,
  };
  return {faces, detected: true, timings};
}

/** Refuse numbers of frames or faces that are not whole numbers from 1 up; null and undefined mean the usual. */
function checkCounts(counts) {
  for (const [name, count] of Object.entries(counts)) {
    if (count != null && !(Number.isInteger(count) && count >= 1)) {
      throw new RangeError(`${name} is ${JSON.stringify(count)}, expected a whole number from 1 up.`);
    }
  }
}

/** Largest first. */
const byArea = (a, b) => area(b.box) - area(a.box);
const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
