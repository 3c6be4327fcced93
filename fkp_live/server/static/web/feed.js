/**
 * Hands frames to the networks: one at a time, and of those that came meanwhile only the newest. Or a camera as a whole, of
 * which they take the newest frame by themselves.
 */

/** Most frames of a camera that may be there and not answered without being lost: one waits, and one in the browser. */
const ON_THEIR_WAY = 2;

export class Feed {
  /**
   * @param {import("./networks.js").Networks} networks
   * @param {import("./stage.js").Stage} stage
   */
  constructor(networks, stage) {
    this.networks = networks;
    this.stage = stage;
    this.ready = false;
    /** Number of the stream: what the networks answer to another one is not shown. */
    this.stream = 0;
    this.begin();
  }

  /** Another stream begins: frames are counted anew, and what is still on its way is not its own. */
  begin() {
    this.empty();
    this.count = this.dropped = 0;
    this.stream += 1;
    this.networks.reset();
  }

  empty() {
    this.waiting?.picture.close();
    /** The newest frame that has not gone to the networks. */
    this.waiting = null;
  }

  /** Other networks were opened: what went to the old ones is not answered. */
  renew() {
    this.count = this.dropped = 0;
  }

  /**
   * The networks take the frames of a camera by themselves from now on.
   * @param {{frames: ReadableStream<VideoFrame>, given: () => number|null}} camera how many frames it gave so far
   */
  follow({ frames, given }) {
    this.empty();
    this.given = given;
    this.networks.camera(frames, this.stream);
  }

  /**
   * Take a picture, and close it in the end.
   * @param {VideoFrame|ImageBitmap} picture
   * @param {number|null} time of a frame, in seconds; null: a single picture, looked at without memory of others
   * @param {boolean} isLive of a camera
   */
  add(picture, time, isLive = false) {
    if (this.waiting) {
      this.waiting.picture.close();
      this.dropped += 1;
    }
    this.waiting = { picture, time, isLive };
    this.next();
  }

  /** Hand over the newest frame, if there is one and the networks have time. */
  next() {
    if (!this.waiting) return;
    if (!this.ready) {
      // People see themselves while the networks load.
      this.stage.hold(this.waiting.picture);
      this.stage.advance();
      this.stage.paint([]);
      return;
    }
    if (this.networks.busy) return;
    const { picture, time, isLive } = this.waiting;
    this.waiting = null;
    this.stage.hold(picture);
    if (time === null) this.networks.picture(picture, this.stream);
    else this.networks.frame(picture, this.count, time, isLive, this.stream);
    this.count += 1;
  }

  /**
   * An answer came: its picture can be painted, and before that the next one goes to the networks, which then work while
   * the page paints.
   * @param {{result: object, stream: number, picture?: VideoFrame, dropped?: number}} answer with the frame of a camera that
   *   they took
   * @returns {boolean} whether it is of this stream
   */
  answered({ result, stream, picture, dropped }) {
    const isOurs = stream === this.stream;
    if (picture && isOurs) {
      this.stage.take(picture);
      // The browser drops what it cannot hand over, and does not say so to the worker.
      this.dropped = Math.max(this.dropped, dropped, this.given() - result.frame - 1 - ON_THEIR_WAY);
    } else if (picture) {
      picture.close();
    } else if (isOurs) {
      this.stage.advance();
    }
    this.next();
    return isOurs;
  }
}
