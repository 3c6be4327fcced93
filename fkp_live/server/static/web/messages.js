/** What can go wrong, in words, each with its cure. */

/** A failure that the visitor can do something about. */
export class Failure extends Error {
  /**
   * @param {string} what was wrong
   * @param {string} cure what to do
   */
  constructor(what, cure) {
    super(what);
    this.cure = cure;
  }
}

/** The failure that is shown for anything that was thrown. */
export function asFailure(error) {
  if (error instanceof Failure) return error;
  return new Failure(`Something went wrong: ${error?.message || error}.`, "Reload the page.");
}

const CAMERA = {
  NotAllowedError: [
    "The camera was not allowed.",
    "Allow it for this page: in the address bar, or in the settings of the browser or of the system. Then start it again."
  ],
  NotFoundError: ["No camera was found.", "Connect one, or open a picture or a video instead."],
  NotReadableError: [
    "The camera cannot be read: another program or page may be using it.",
    "Close that one, or connect the camera anew, and start it again."
  ],
  OverconstrainedError: ["The chosen camera is gone.", "Choose another one under Camera."],
  AbortError: ["The camera could not be started.", "Connect it anew, and start it again."],
  SecurityError: ["This browser gives no page a camera.", "Allow cameras in its settings, or use another browser."]
};
CAMERA.DevicesNotFoundError = CAMERA.NotFoundError;
CAMERA.TrackStartError = CAMERA.NotReadableError;

/** Why getUserMedia failed, by the name of its error. */
export function cameraFailure(error) {
  const [what, cure] = CAMERA[error?.name] ?? [`The camera could not be started: ${error?.message || error}.`, "Try another browser."];
  return new Failure(what, cure);
}

/** Browsers hide cameras from pages that others on the way could have changed. */
export function insecureAddress() {
  return new Failure(
    "This address is not secure, so the browser gives it no camera.",
    "Open the page by https, or on the machine that serves it by localhost or 127.0.0.1. Pictures and videos work here."
  );
}

export function cameraLost() {
  return new Failure("The camera stopped.", "Connect it anew, or allow it again, and start it again.");
}

export function lacking(what) {
  return new Failure(
    `This browser lacks ${what}, which the networks need.`,
    "Use a current Chrome, Edge, Firefox or Safari (17 or newer), and allow WebAssembly if it is switched off."
  );
}

export function missingFile(name) {
  return new Failure(
    `${name} could not be loaded.`,
    "Check the connection and reload the page. If you host it: copy the whole folder that fkp-live web --to wrote."
  );
}

export function wrongType(name, type) {
  return new Failure(
    `${name} came as "${type}", which browsers do not run.`,
    "If you host the page: let the server send .js and .mjs as text/javascript."
  );
}

export function workerCrashed(detail) {
  return new Failure(
    `The networks stopped${detail ? `: ${detail}` : ""}.`,
    "Start the camera or the file again. If it happens again: reload the page, or choose a smaller network."
  );
}

export function notAPicture(name) {
  return new Failure(
    `${name} is not a picture that this browser can read.`,
    "Give JPEG, PNG, WebP, AVIF or GIF. fkp-live itself reads more, HEIC among them."
  );
}

export function notAVideo(name) {
  return new Failure(
    `${name} is not a video that this browser can play.`,
    "Give MP4 (H.264), WebM or what else this browser plays. fkp-live itself reads nearly every video."
  );
}

export function neither(name, type) {
  return new Failure(
    `${name} is neither a picture nor a video${type ? `, but ${type}` : ""}.`,
    "Give a picture (JPEG, PNG, WebP) or a video (MP4, WebM)."
  );
}

export function tooLarge(name) {
  return new Failure(`${name} is larger than this browser can handle.`, "Make it smaller, or give it to fkp-live itself.");
}
