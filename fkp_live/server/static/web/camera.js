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

/** End a stream: the camera's light goes out. */
export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}
