/** Frames of a playing video element, each once, with its time on the stream's own clock. */

/**
 * A VideoFrame costs nothing, and its pixels are read in a third of the time. Files may be turned: where browsers do not
 * say so of a frame, a bitmap is taken, which is upright.
 */
const hasVideoFrame = typeof VideoFrame === "function";
const knowsTurned = hasVideoFrame && "rotation" in VideoFrame.prototype;

/** Seconds from the start of a frame to a place within it, at most. */
const NEAR = 0.5;

export class Follower {
  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} isCamera
   * @param {(picture: VideoFrame|ImageBitmap, time: number) => void} onFrame gets each new frame, and closes it
   * @param {number} begin time of a camera's first frame, in seconds
   */
  constructor(video, isCamera, onFrame, begin = 0) {
    this.video = video;
    this.isCamera = isCamera;
    this.onFrame = onFrame;
    this.begin = begin;
    this.origin = null;
    this.last = -1;
    /** Time of a frame that came before the video said that it is where it jumped to; null: there is none. */
    this.early = null;
    this.stopped = false;
    this.wait();
  }

  /** No frame comes any more. */
  stop() {
    this.stopped = true;
  }

  /** The video jumps: what it shows there is another stream, also where that is the frame of before. */
  jump() {
    this.last = -1;
  }

  /** The video is where it jumped to, and rests there if it was paused: no other frame comes. */
  land() {
    const { early } = this;
    this.early = null;
    // One of the place before is not meant.
    if (early !== null && Math.abs(early - this.video.currentTime) < NEAR) this.take(early);
  }

  /** The frame that was given last is given again. */
  again() {
    const { last } = this;
    this.last = -1;
    if (last >= 0) this.take(last);
  }

  wait() {
    if (this.stopped) return;
    if (this.video.requestVideoFrameCallback) {
      this.video.requestVideoFrameCallback((now, data) => this.next(data.mediaTime));
    } else {
      requestAnimationFrame(() => this.next(this.video.currentTime));
    }
  }

  next(mediaTime) {
    this.wait();
    this.take(mediaTime);
  }

  async take(mediaTime) {
    // The frame may come before the event of its jump, with which another stream begins.
    this.early = this.video.readyState < 2 || this.video.seeking ? mediaTime : null;
    if (this.stopped || mediaTime === this.last || this.early !== null) return;
    this.last = mediaTime;
    // A camera's clock began before the page looked.
    this.origin ??= this.isCamera ? mediaTime - this.begin : 0;
    const picture = await this.picture();
    if (!picture) return;
    if (this.stopped) picture.close();
    else this.onFrame(picture, mediaTime - this.origin);
  }

  async picture() {
    try {
      if (this.isCamera ? hasVideoFrame : knowsTurned) return new VideoFrame(this.video);
      return await createImageBitmap(this.video);
    } catch {
      return null; // the frame was gone already; the next one comes
    }
  }
}
