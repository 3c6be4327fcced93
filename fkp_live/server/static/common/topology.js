/**
 * The 68 iBUG points: lines to draw and the tip of the nose. The numbers are those of `fkp_live/topology.py`; a test
 * compares them. "Right" and "left" are the person's own.
 */

/** Lines: name, numbers of the points in order, and whether the line closes. */
export const CONTOURS = [
  ["jaw", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], false],
  ["right_brow", [17, 18, 19, 20, 21], false],
  ["left_brow", [22, 23, 24, 25, 26], false],
  ["nose_bridge", [27, 28, 29, 30], false],
  ["nose_base", [31, 32, 33, 34, 35], false],
  ["right_eye", [36, 37, 38, 39, 40, 41], true],
  ["left_eye", [42, 43, 44, 45, 46, 47], true],
  ["outer_lip", [48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59], true],
  ["inner_lip", [60, 61, 62, 63, 64, 65, 66, 67], true]
];

export const NOSE_TIP = 30;
