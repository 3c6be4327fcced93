/** Frames of a camera, read in the worker: the newest one is kept until it is taken, and the page between delays none. */

/** Reads a stream of VideoFrames, as MediaStreamTrackProcessor gives it. */
export class CameraFrames {
  /**
   * @param {ReadableStream<VideoFrame>} stream
   * @param {() => void} onFrame a frame can be taken, and none could before
   */
  constructor(stream, onFrame) {
    this._reader = stream.getReader();
    this._onFrame = onFrame;
    /** @type {{frame: VideoFrame, came: number} | null} */
    this._newest = null;
    /** @type {number | null} */
    this._origin = null;
    this._stopped = false;
    /** Frames that were taken, and those that a newer one replaced. */
    this.count = 0;
    this.dropped = 0;
    // It fails where the camera is lost, which the page hears from the camera itself.
    this._read().catch(() => {});
  }

  /**
   * The newest frame, which the caller closes; null where none came since the last one.
   *
   * @returns {Promise<{picture: VideoFrame, frame: number, time: number, came: number} | null>} number of the frame, seconds
   *   since the first one, and when it came, in milliseconds since 1970
   */
  async take() {
    if (!this._newest) return null;
    const {frame, came} = this._newest;
    this._newest = null;
    this._origin ??= frame.timestamp;
    const time = (frame.timestamp - this._origin) / 1e6;
    this.count += 1;
    return {picture: await copied(frame), frame: this.count - 1, time, came};
  }

  /** No frame can be taken any more. Those that still come are closed, until the camera ends. */
  stop() {
    this._stopped = true;
    this._newest?.frame.close();
    this._newest = null;
  }

  async _read() {
    for (;;) {
      const {done, value} = await this._reader.read();
      if (done) return;
      if (this._stopped) {
        value.close();
        continue;
      }
      const isNews = !this._newest;
      if (!isNews) {
        this._newest.frame.close();
        this.dropped += 1;
      }
      this._newest = {frame: value, came: performance.timeOrigin + performance.now()};
      if (isNews) this._onFrame();
    }
  }
}

/**
 * The same frame in memory of its own. Cameras have as few as three buffers, and give no frame while all of them are held:
 * one is painted, one is looked at, one waits.
 *
 * @param {VideoFrame} frame is closed
 * @returns {Promise<VideoFrame>} the frame itself where it cannot be copied
 */
async function copied(frame) {
  const {format, visibleRect, displayWidth, displayHeight, timestamp, colorSpace, rotation, flip} = frame;
  if (!format || rotation || flip) return frame;
  try {
    const pixels = new ArrayBuffer(frame.allocationSize());
    const layout = await frame.copyTo(pixels);
    const made = new VideoFrame(pixels, {
      format, codedWidth: visibleRect.width, codedHeight: visibleRect.height, displayWidth, displayHeight,
      timestamp, colorSpace, layout, transfer: [pixels],
    });
    frame.close();
    return made;
  } catch {
    return frame;
  }
}
