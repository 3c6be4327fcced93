/** Files for the visitor: made in the browser, handed to its downloads. */

/** Milliseconds after which a file is given up; the browser has taken it long before. */
const KEPT = 60000;

/**
 * Offer a blob as a download.
 * @param {Blob} blob
 * @param {string} name of the file
 */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT);
}

/** A name with the local time, such as "fkp-live_2026-05-04_13-02-59.csv". */
export function timedName(suffix, now = new Date()) {
  const two = (value) => String(value).padStart(2, "0");
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("-");
  return `fkp-live_${date}_${time}${suffix}`;
}
