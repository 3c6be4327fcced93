/** What is looked at: a camera, a video or a picture. One at a time; each is closed before the next opens. */

import { closeCamera, openCamera } from "./camera.js";
import { CameraReader } from "./camera_reader.js";
import { kindOf, openVideo, openPicture } from "./files.js";
import { Follower } from "./follow.js";
import { cameraLost, notAVideo } from "./messages.js";

export class Source {
  /**
   * @param {HTMLVideoElement} video is not shown
   * @param {{onFrame: Function, onBreak: (isOff: boolean) => void, onEnd: (failure: Error|null) => void}} hooks onBreak:
   *   the camera is there and gives no picture, or gives some again
   */
  constructor(video, { onFrame, onBreak, onEnd }) {
    this.video = video;
    this.onFrame = onFrame;
    this.onBreak = onBreak;
    this.onEnd = onEnd;
    this.opened = 0;
    this.close();
    // Some phones stop a camera's video while the page is hidden.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && video.srcObject && video.paused) video.play().catch(() => {});
    });
  }

  /** Frames of the camera that the browser has dropped, as far as that is known. */
  get lost() {
    return this.follower?.lost ?? 0;
  }

  /** Frames that were lost are counted anew. */
  recount() {
    this.follower?.recount?.();
  }

  /** End what is open. */
  close() {
    this.opened += 1;
    this.follower?.stop();
    if (this.stream) closeCamera(this.stream);
    for (const event of ["ended", "error", "seeking", "seeked"]) this.video[`on${event}`] = null;
    this.video.pause();
    this.video.srcObject = null;
    if (this.address) {
      this.video.removeAttribute("src");
      this.video.load();
      URL.revokeObjectURL(this.address);
    }
    this.follower = this.stream = this.address = null;
    /** "camera", "video", "picture", or "" while nothing is open. */
    this.kind = "";
    this.name = "";
    this.file = null;
  }

  /**
   * @param {string} id of the camera
   * @returns {Promise<boolean>} false where something else was opened meanwhile
   * @throws {Failure}
   */
  async openCamera(id) {
    this.close();
    const turn = this.opened;
    const stream = await openCamera(id);
    if (turn !== this.opened) {
      closeCamera(stream);
      return false;
    }
    const [track] = stream.getVideoTracks();
    this.stream = stream;
    track.onended = () => this.end(turn, cameraLost());
    track.onmute = track.onunmute = () => turn === this.opened && this.onBreak(track.muted);
    [this.kind, this.name] = ["camera", track.label || "camera"];
    if (CameraReader.isThere) {
      this.follower = new CameraReader(stream, this.onFrame, () => this.watch());
      return true;
    }
    await this.watch();
    return turn === this.opened;
  }

  /** Take the camera's frames when they are shown; after those that were read, if there were any. */
  async watch() {
    const begin = this.follower?.elapsed ?? 0;
    this.follower?.stop();
    this.video.srcObject = this.stream;
    this.follower = new Follower(this.video, true, this.onFrame, begin);
    await this.video.play().catch(() => {}); // interrupted by `close`
  }

  /**
   * @param {File} file
   * @returns {Promise<ImageBitmap|boolean>} a picture; of a video true, or false where something else was opened meanwhile
   * @throws {Failure}
   */
  async openFile(file) {
    this.close();
    this.file = file;
    const turn = this.opened;
    if (kindOf(file) === "picture") {
      const picture = await openPicture(file);
      if (turn !== this.opened) {
        picture.close();
        return false;
      }
      [this.kind, this.name] = ["picture", file.name];
      return picture;
    }
    this.address = URL.createObjectURL(file);
    try {
      await openVideo(this.video, this.address, file.name);
    } catch (failure) {
      if (turn === this.opened) this.close();
      throw failure;
    }
    if (turn !== this.opened) return false;
    this.video.onended = () => this.end(turn, null);
    this.video.onerror = () => this.end(turn, notAVideo(file.name));
    [this.kind, this.name] = ["video", file.name];
    this.follower = new Follower(this.video, false, this.onFrame);
    this.video.onseeking = () => this.follower.jump();
    this.video.onseeked = () => this.follower.land();
    await this.video.play().catch(() => {});
    return turn === this.opened;
  }

  /** The stream is over by itself. A video stays open, to be played again. */
  end(turn, failure) {
    if (turn !== this.opened) return;
    if (failure) this.close();
    this.onEnd(failure);
  }

  /** Give the frame again at which a video rests. */
  again() {
    this.follower.again();
  }

  /** Stop or go on. @returns {boolean} whether it rests now */
  pause() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
    return this.video.paused;
  }
}
