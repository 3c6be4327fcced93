/**
 * Colours and sizes of the overlay: plain numbers, the same as in `fkp_live/display`; a test compares them.
 * Colours are red, green, blue.
 */

/** The colour of a face is that of its id, so that a change of id shows. */
export const PALETTE = [
  [70, 200, 255], [120, 220, 90], [255, 180, 80], [255, 140, 220],
  [240, 240, 110], [150, 150, 255], [60, 220, 200], [255, 140, 140]
];

/** Points fade from white to dark as their confidence falls below these limits. */
export const LIMITS = [0.5, 0.7, 0.85];
export const FADE = [[16, 20, 24], [150, 150, 150], [205, 205, 205], [255, 255, 255]];

/** Behind bars; text; bars of eyes that are shut. */
export const PANEL = [6, 8, 10];
export const CORE = [255, 255, 255];
export const SHUT = [255, 120, 60];

/** Head axes: to the right of the picture, down, and where the face looks; their length as a part of the face. */
export const AXES = [[255, 80, 80], [90, 220, 90], [60, 150, 255]];
export const AXIS = 0.55;

/** As parts of the face: space between points and box, length of a side of its corners, grid that they lie on. */
export const AIR = 0.06;
export const CORNER = 0.18;
export const GRID = 0.011;

/** Openness at which a bar is full. */
export const FULL_EYE = 0.45;
export const FULL_MOUTH = 0.9;

/** Points of faces smaller than this, in pixels, are single pixels. */
export const DOTTED = 100;

/** Part of the picture's light that stays visible behind a text. */
export const PLATE = 0.35;

/** Pixels of the longer side beyond which nothing is a face. */
export const LARGEST = 1048576;

/** The colour of a face as CSS has it. `order` is its place among the faces, for faces without an id. */
export function faceColour(face, order) {
  const place = (face.id == null ? order : face.id - 1) % PALETTE.length;
  return css(PALETTE.at(place) ?? PALETTE[0]);
}

/** A colour as CSS has it. */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}
