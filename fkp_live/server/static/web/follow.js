/** Frames of a playing video element, each once, with its time on the stream's own clock. */

/**
 * A VideoFrame costs nothing, and its pixels are read in a third of the time. Files may be turned: where browsers do not
 * say so of a frame, a bitmap is taken, which is upright.
 */
const hasVideoFrame = typeof VideoFrame === "function";
const knowsTurned = hasVideoFrame && "rotation" in VideoFrame.prototype;

export class Follower {
  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} isCamera
   * @param {(picture: VideoFrame|ImageBitmap, time: number) => void} onFrame gets each new frame, and closes it
   */
  constructor(video, isCamera, onFrame) {
    this.video = video;
    this.isCamera = isCamera;
    this.onFrame = onFrame;
    this.origin = null;
    this.last = -1;
    this.stopped = false;
    this.wait();
  }

  /** No frame comes any more. */
  stop() {
    this.stopped = true;
  }

  wait() {
    if (this.stopped) return;
    if (this.video.requestVideoFrameCallback) {
      this.video.requestVideoFrameCallback((now, data) => this.take(data.mediaTime));
    } else {
      requestAnimationFrame(() => this.take(this.video.currentTime));
    }
  }

  async take(mediaTime) {
    this.wait();
    if (this.stopped || mediaTime === this.last || this.video.readyState < 2) return;
    this.last = mediaTime;
    // A camera's clock began before the page looked.
    this.origin ??= this.isCamera ? mediaTime : 0;
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
