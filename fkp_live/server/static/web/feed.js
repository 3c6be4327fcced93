/** Hands frames to the networks: one at a time, and of those that came meanwhile only the newest. */

export class Feed {
  /**
   * @param {import("./networks.js").Networks} networks
   * @param {import("./stage.js").Stage} stage
   */
  constructor(networks, stage) {
    this.networks = networks;
    this.stage = stage;
    this.ready = false;
    this.begin();
  }

  /** Another stream begins: frames are counted anew, and what is still on its way is not its own. */
  begin() {
    this.waiting?.picture.close();
    /** The newest frame that has not gone to the networks. */
    this.waiting = null;
    this.count = 0;
    this.dropped = 0;
    this.isStale = this.networks.busy;
    this.networks.reset();
  }

  /** Other networks were opened: what went to the old ones is not answered. */
  renew() {
    this.count = this.dropped = 0;
    this.isStale = false;
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
    if (time === null) this.networks.picture(picture);
    else this.networks.frame(picture, this.count, time, isLive);
    this.count += 1;
  }

  /**
   * An answer came: its picture can be painted, and before that the next one goes to the networks, which then work while
   * the page paints.
   * @returns {boolean} whether it is of this stream
   */
  answered() {
    const isOurs = !this.isStale;
    this.isStale = false;
    if (isOurs) this.stage.advance();
    this.next();
    return isOurs;
  }
}
