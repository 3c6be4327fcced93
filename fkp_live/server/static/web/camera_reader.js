/** Frames of a camera as they come, with no wait for the screen; where the browser has MediaStreamTrackProcessor. */

/** Frames that wait in the browser while the page is busy. */
const WAITING = 2;
/**
 * Milliseconds between two looks, and how many in a row find no frame until the reader is given up: one alone may follow a
 * page that stood still. Of a camera that runs, Chromium 156 on a busy machine may give a reader none.
 */
const PACE = 1000, PATIENCE = 2;

export class CameraReader {
  /** Whether the browser can. */
  static get isThere() {
    return typeof MediaStreamTrackProcessor === "function";
  }

  /**
   * @param {MediaStream} stream
   * @param {(picture: VideoFrame, time: number) => void} onFrame gets each frame, and closes it; time in seconds since the
   *   first one
   * @param {() => void} onNothing called where no frame came for a while, although the camera gives some
   */
  constructor(stream, onFrame, onNothing) {
    const [track] = stream.getVideoTracks();
    this.track = track;
    this.recount();
    /** Of the first frame: its own time, and the page's, in ms. */
    this.origin = this.begun = null;
    this.onFrame = onFrame;
    this.stopped = false;
    /** Whether a frame came since the last look, and what the camera had given then. */
    this.came = false;
    this.given = this.track.stats?.totalFrames;
    this.reader = new MediaStreamTrackProcessor({ track, maxBufferSize: WAITING }).readable.getReader();
    this.silent = 0;
    this.timer = setInterval(() => this.look(onNothing), PACE);
    this.read();
  }

  /** From now on frames are counted anew. */
  recount() {
    this.before = this.track.stats?.totalFrames;
    this.count = 0;
  }

  /** Frames that the browser has dropped, which it says to nobody; 0 where it does not count what the camera gave. */
  get lost() {
    return Math.max(0, this.track.stats?.totalFrames - this.before - this.count - WAITING || 0);
  }

  /** Seconds since the first frame; 0 before it. */
  get elapsed() {
    return this.begun === null ? 0 : (performance.now() - this.begun) / 1000;
  }

  /** No frame comes any more. */
  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.reader.cancel().catch(() => {});
  }

  /** Say where frames are given and none came. Where the browser does not count them, a camera that is not muted gives some. */
  look(onNothing) {
    const given = this.track.stats?.totalFrames;
    const gives = !this.track.muted && (given === undefined || given > this.given);
    this.silent = gives && !this.came ? this.silent + 1 : 0;
    if (this.silent === PATIENCE) onNothing();
    [this.came, this.given] = [false, given];
  }

  async read() {
    for (;;) {
      // It fails where the camera is lost, which the track says itself.
      const { done, value } = await this.reader.read().catch(() => ({ done: true }));
      this.came = true;
      if (done) return;
      const frame = await copied(value);
      this.count += 1;
      this.origin ??= frame.timestamp;
      this.begun ??= performance.now();
      if (this.stopped) frame.close();
      else this.onFrame(frame, (frame.timestamp - this.origin) / 1e6);
    }
  }
}

/**
 * The same frame in memory of its own. Cameras have as few as three buffers, and lose frames while all of them are held: by
 * the one that is painted, the one that is looked at, and those on their way.
 *
 * @param {VideoFrame} frame is closed
 * @returns {Promise<VideoFrame>} the frame itself where it cannot be copied
 */
async function copied(frame) {
  const { format, visibleRect, displayWidth, displayHeight, timestamp, colorSpace, rotation, flip } = frame;
  if (!format || rotation || flip) return frame;
  try {
    const pixels = new ArrayBuffer(frame.allocationSize());
    const layout = await frame.copyTo(pixels);
    const { width, height } = visibleRect;
    const made = new VideoFrame(pixels, {
      ...{ format, codedWidth: width, codedHeight: height, displayWidth, displayHeight },
      ...{ timestamp, colorSpace, layout, transfer: [pixels] }
    });
    frame.close();
    return made;
  } catch {
    return frame;
  }
}
