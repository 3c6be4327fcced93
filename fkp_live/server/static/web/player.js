/** The bar below a video: where it is, and where it shall go. */

export class Player {
  /**
   * @param {HTMLElement} element with an input of type range and an output
   * @param {HTMLVideoElement} video
   * @param {() => void} onJump called when the video jumps, so that nothing of before is carried on
   */
  constructor(element, video, onJump) {
    this.element = element;
    this.video = video;
    this.position = element.querySelector("input");
    this.clock = element.querySelector("output");
    this.position.addEventListener("input", () => { video.currentTime = Number(this.position.value); });
    // Also when a video that is over begins again.
    video.addEventListener("seeking", onJump);
    video.addEventListener("timeupdate", () => this.move());
    video.addEventListener("durationchange", () => this.move());
  }

  /** Show the bar, or hide it. */
  show(visible) {
    this.element.hidden = !visible;
    this.move();
  }

  move() {
    if (this.element.hidden) return;
    const { duration, currentTime } = this.video;
    this.position.disabled = !Number.isFinite(duration);
    this.position.max = String(Number.isFinite(duration) ? duration : 1);
    this.position.value = String(currentTime);
    this.clock.textContent = `${clock(currentTime)} / ${Number.isFinite(duration) ? clock(duration) : "–"}`;
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
