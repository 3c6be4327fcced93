/** Hands frames to the networks: few at a time, and of those that came meanwhile only the newest. */

/** Frames of a camera that may be with the networks: one is looked at, and the next is there when that is done. */
const MOST_LIVE = 2;

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
    this.waiting?.picture.close();
    /** The newest frame that has not gone to the networks. */
    this.waiting = null;
    this.stream += 1;
    this.networks.reset();
    this.renew();
  }

  /** Other networks were opened: what went to the old ones is not answered. */
  renew() {
    this.count = this.dropped = 0;
    this.stage.forget();
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
      if (this.ready) this.dropped += 1;
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
    const { picture, time, isLive } = this.waiting;
    if (this.networks.pending >= (isLive ? MOST_LIVE : 1)) return;
    this.waiting = null;
    this.stage.hold(picture);
    if (time === null) this.networks.picture(picture, this.stream);
    else this.networks.frame(picture, this.count, time, isLive, this.stream);
    this.count += 1;
  }

  /**
   * An answer came: its picture can be painted, and before that the next one goes to the networks, which then work while
   * the page paints.
   * @param {number} stream of the answer
   * @returns {boolean} whether it is of this stream
   */
  answered(stream) {
    const isOurs = stream === this.stream;
    if (isOurs) this.stage.advance();
    this.next();
    return isOurs;
  }
}
