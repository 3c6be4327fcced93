/** Blend shapes with ARKit's names, as fkp_live/faces/blendshapes.py. */

import {measures, shapes} from "./constants.js";

const {right, left, single} = measures;

/** @returns {number} 0 up to the first end, 1 from the second on */
const between = (value, [begin, full]) => Math.min(Math.max((value - begin) / (full - begin), 0), 1);

/**
 * @param {ArrayLike<number>} seen a face's parts
 * @param {ArrayLike<number>} usual its usual ones
 * @returns {number[]} value in [0, 1] of each shape, in the order of `shapes.names`
 */
export function shapesOf(seen, usual) {
  const off = Array.from(seen, (value, i) => value - usual[i]);
  const [lips, chin, mouth] = [off[single.lipsApart], off[single.chin], off[single.mouth]];
  const values = {
    JawOpen: between(lips, shapes.jawOpen),
    JawLeft: between(chin, shapes.jawAside),
    JawRight: between(-chin, shapes.jawAside),
    MouthLeft: between(mouth, shapes.mouthAside),
    MouthRight: between(-mouth, shapes.mouthAside),
  };
  let [innerUp, outward] = [0, 0];
  for (const [places, side] of [[right, "Right"], [left, "Left"]]) {
    const now = (name) => off[places[name]];
    const wider = now("eye") / usual[places.eye];
    const lid = now("lowerLid") / Math.max(usual[places.lowerLid], 1e-3);
    const corner = now("cornerUp") + shapes.cornersWithJaw * Math.max(lips, 0);
    const smile = between(corner + now("cornerOut"), shapes.smile);
    const lower = -now("lowerLip") - shapes.lowerLipWithJaw * Math.max(lips, 0);
    Object.assign(values, {
      [`EyeBlink${side}`]: between(-wider, shapes.blink),
      [`EyeWide${side}`]: between(wider, shapes.wide),
      [`EyeSquint${side}`]: between(-lid, shapes.squint),
      [`MouthSmile${side}`]: smile,
      [`MouthFrown${side}`]: between(-corner, shapes.frown),
      [`MouthStretch${side}`]: between(now("cornerOut"), shapes.stretch) * (1 - smile),
      [`MouthUpperUp${side}`]: between(-now("upperLip"), shapes.upperUp),
      [`MouthLowerDown${side}`]: between(lower, shapes.lowerDown),
      [`BrowDown${side}`]: between(-(now("browInner") + now("browMiddle")) / 2, shapes.browDown),
      [`BrowOuterUp${side}`]: between(now("browOuter"), shapes.browOuterUp),
    });
    innerUp += now("browInner") / 2;
    outward += now("cornerOut") / 2;
  }
  values.BrowInnerUp = between(innerUp, shapes.browInnerUp);
  values.MouthPucker = between(-outward, shapes.pucker);
  return shapes.names.map((name) => values[name]);
}
