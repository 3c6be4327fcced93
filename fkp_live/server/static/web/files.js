/** Pictures and videos from the visitor's disk; they are read in the browser and sent nowhere. */

import { neither, notAVideo, notAPicture, tooLarge } from "./messages.js";

/** Extensions of files for which the system gives the browser no type. */
const VIDEO = /\.(mp4|m4v|mov|webm|mkv|ogv|3gp)$/i;
const PICTURE = /\.(jpe?g|png|webp|avif|gif|bmp)$/i;
/** Bytes of the largest picture file that is read. */
const LARGEST = 1 << 28;

/**
 * "picture" or "video".
 * @param {File} file
 * @throws {Failure} neither of them
 */
export function kindOf(file) {
  if (file.type.startsWith("image/")) return "picture";
  if (file.type.startsWith("video/")) return "video";
  if (!file.type && PICTURE.test(file.name)) return "picture";
  if (!file.type && VIDEO.test(file.name)) return "video";
  throw neither(file.name, file.type);
}

/**
 * A picture, upright.
 * @param {File} file
 * @returns {Promise<ImageBitmap>}
 * @throws {Failure}
 */
export async function openPicture(file) {
  if (file.size > LARGEST) throw tooLarge(file.name);
  try {
    return await createImageBitmap(file);
  } catch {
    throw notAPicture(file.name);
  }
}

/**
 * Load a video into a video element, up to its first frame.
 * @param {HTMLVideoElement} video
 * @param {string} address of the video
 * @param {string} name of its file
 * @throws {Failure}
 */
export async function openVideo(video, address, name) {
  try {
    await new Promise((resolve, reject) => {
      video.onloadeddata = resolve;
      video.onerror = reject;
      video.src = address;
    });
    if (!video.videoWidth) throw new Error("sound alone");
  } catch {
    throw notAVideo(name);
  } finally {
    video.onloadeddata = video.onerror = null;
  }
}
