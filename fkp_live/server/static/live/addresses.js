/** Addresses of the server, relative to the page; they carry the token that the page was opened with. */

const token = new URLSearchParams(location.search).get("token");

/** Address of a path such as "state". */
export function address(path) {
  const url = new URL(path, document.baseURI);
  // The server also sets a cookie, but a browser may refuse it.
  if (token) url.searchParams.set("token", token);
  return url;
}

/** Address of a WebSocket. */
export function socketAddress(path) {
  const url = address(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** What the server said in an answer that is an error, or what its number means. */
export async function saidBy(answer) {
  try {
    const { said } = await answer.json();
    if (said) return said;
  } catch {
    // not JSON: from a program between here and the server
  }
  return `The server answered ${answer.status} ${answer.statusText}`.trim() + ".";
}
