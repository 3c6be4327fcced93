/** What the page says: about the connection, what the program says, and what it answered. */

const TROUBLES = {
  lost: "The server does not answer. Is fkp-live still running?",
  refused: "The server refused the picture. A program between here and the server may not pass WebSockets on.",
  forbidden: "This URL lacks the token, or has that of an earlier run. Open the URL that fkp-live printed last.",
  full: "Too many viewers look already. Close one, or start fkp-live with a larger --viewers.",
  ended: "The stream has ended. Start fkp-live again to go on."
};
/** Milliseconds that an answer stays; there is more to read in an error. */
const STAY = 6000, STAY_BAD = 15_000;

export class Messages {
  /**
   * @param {HTMLElement} element a live region
   * @param {() => void} onRetry
   */
  constructor(element, onRetry) {
    this.trouble = document.createElement("div");
    this.answer = document.createElement("div");
    this.note = document.createElement("div");
    this.note.className = "message";
    this.again = document.createElement("button");
    this.again.type = "button";
    this.again.textContent = "Try now";
    this.again.addEventListener("click", onRetry);
    this.kind = null;
    element.append(this.trouble, this.note, this.answer);
  }

  /** The connection's trouble; null for none. What the server said itself comes first. */
  connection(kind, said) {
    if (kind === this.kind) return;
    this.kind = kind;
    this.trouble.className = kind && kind !== "ended" ? "message bad" : "message";
    if (!kind) {
      this.trouble.replaceChildren();
      return;
    }
    this.answer.replaceChildren(); // "recording" is not known to be true any more
    // With another token the page would never get in.
    if (kind === "forbidden") this.trouble.replaceChildren(TROUBLES.forbidden);
    else this.trouble.replaceChildren(`${said || TROUBLES[kind]} The page connects again by itself. `, this.again);
  }

  /** What the program says at the moment, except what it has just answered here. */
  program(text) {
    const shown = text === this.answer.textContent ? "" : text;
    if (this.note.textContent !== shown) this.note.textContent = shown;
  }

  /** What the server answered to a control. */
  said(text, ok) {
    clearTimeout(this.timer);
    this.answer.className = ok ? "message good" : "message bad";
    this.answer.textContent = text;
    this.timer = setTimeout(() => this.answer.replaceChildren(), ok ? STAY : STAY_BAD);
  }
}
