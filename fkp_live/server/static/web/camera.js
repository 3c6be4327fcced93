/** Webcams: opening one, and which there are. */

import { cameraFailure, insecureAddress } from "./messages.js";

/** What is asked for where the camera has it; it gives the nearest. */
const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 60 } };

/**
 * Open a camera.
 * @param {string} id of `listCameras`; empty: the browser's choice, on phones the one in front
 * @returns {Promise<MediaStream>}
 * @throws {Failure}
 */
export async function openCamera(id) {
  if (!navigator.mediaDevices?.getUserMedia) throw insecureAddress();
  const which = id ? { deviceId: { exact: id } } : { facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, ...WANTED } });
  } catch (error) {
    throw cameraFailure(error);
  }
}

/**
 * Cameras with names; browsers give them only once a camera was allowed.
 * @returns {Promise<{id: string, name: string}[]>}
 */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices
    .filter((device) => device.kind === "videoinput" && device.deviceId)
    .map((device, place) => ({ id: device.deviceId, name: device.label || `Camera ${place + 1}` }));
}

/**
 * Frames of a camera for the networks' worker, which then waits neither for the page nor for the screen. Chromium has this.
 * @param {MediaStream} stream
 * @returns {{frames: ReadableStream<VideoFrame>, given: () => number|null}|null} null where the browser cannot; given: how
 *   many the camera gave so far, null where that is not known
 */
export function framesOf(stream) {
  if (typeof MediaStreamTrackProcessor !== "function") return null;
  const [track] = stream.getVideoTracks(), before = track.stats?.totalFrames;
  return {
    frames: new MediaStreamTrackProcessor({ track }).readable,
    given: () => (track.stats ? track.stats.totalFrames - before : null)
  };
}

/** End a stream: the camera's light goes out. */
export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}
