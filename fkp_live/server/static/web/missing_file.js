/** Which file of the page does not come, where the browser alone knows and does not say. */

import { missingFile, wrongType } from "./messages.js";

/**
 * Ask for one script after the other.
 * @param {string} folder of the page, as "engine/"
 * @returns {Promise<Failure|null>} of the first that does not come, or not as a script; null: all of them come
 */
export async function firstMissing(folder) {
  const names = ["web/facts.json", ...(await namesIn(folder))];
  for (const name of names) {
    const answer = await fetch(new URL(`../${name}`, import.meta.url)).catch(() => null);
    if (!answer?.ok) return missingFile(name);
    const type = answer.headers.get("Content-Type") ?? "";
    if (name.endsWith(".js") && !/(java|ecma)script/.test(type)) return wrongType(name, type);
  }
  return null;
}

/** The page's own list of its files has their names. */
async function namesIn(folder) {
  try {
    const { files } = await (await fetch(new URL("facts.json", import.meta.url))).json();
    return files.filter((name) => name.startsWith(folder));
  } catch {
    return [];
  }
}
