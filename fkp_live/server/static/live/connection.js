/**
 * The connection to the server: asks for the newest frame, again once that has been shown, and connects anew, after
 * growing pauses, when it was lost. A hidden page asks for nothing.
 */

import { address, saidBy, socketAddress } from "./addresses.js";

/** Milliseconds before the first and the last new attempt. */
const FIRST_PAUSE = 500, LONGEST_PAUSE = 10_000;
/** Milliseconds without a frame after which the page says that it waits. */
const PATIENCE = 3000;

/**
 * What became of a connection.
 * @typedef {"lost"|"refused"|"forbidden"|"full"|"ended"} Trouble
 */

export class Connection {
  /**
   * @param {(head: object, jpeg: Blob) => Promise<void>} onFrame shows a frame; the next one is asked for afterwards
   * @param {(state: object) => void} onState
   * @param {(trouble: Trouble|null, said: string) => void} onTrouble null: frames come
   * @param {() => void} onWaiting connected, but there is no frame yet
   */
  constructor({ onFrame, onState, onTrouble, onWaiting }) {
    Object.assign(this, { onFrame, onState, onTrouble, onWaiting });
    this.socket = null;
    this.pause = FIRST_PAUSE;
    this.asked = false;
    this.busy = false;
    this.attempts = 0;
    this.waits = 0;
    this.ended = false;
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.retry());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
  }

  /** Connect now, without waiting for the pause to end. */
  retry() {
    this.close();
    this.pause = FIRST_PAUSE;
    this.connect();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.attempts++; // what an earlier attempt still has to say is not heard
    this.waits++;
    this.socket?.close();
    this.socket = null;
  }

  async connect() {
    const attempt = ++this.attempts;
    const current = () => attempt === this.attempts;
    // A WebSocket that is refused does not say why, so ask with a plain request first.
    const answer = await asked("state");
    const said = answer && !answer.ok ? await saidBy(answer) : "";
    const state = answer?.ok ? await answer.json().catch(() => null) : null;
    if (!current()) return;
    if (!answer) this.later("lost", "");
    else if (!answer.ok) this.later([401, 403].includes(answer.status) ? "forbidden" : "refused", said);
    else {
      if (state) this.onState(state);
      this.open(current);
    }
  }

  open(current) {
    const socket = (this.socket = new WebSocket(socketAddress("view")));
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      if (!current()) return;
      opened = true;
      this.asked = this.busy = false;
      this.ask();
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      if (typeof data === "string") this.ended = JSON.parse(data).ended === true;
      else this.take(data, current);
    };
    socket.onclose = async () => {
      if (!current()) return;
      this.socket = null;
      const [trouble, said] = opened ? ["lost", ""] : await whyRefused();
      if (current()) this.later(trouble, said);
    };
  }

  async take(data, current) {
    this.asked = false;
    this.waits++;
    clearTimeout(this.watch);
    if (document.hidden) return;
    this.busy = true;
    this.pause = FIRST_PAUSE;
    this.ended = false;
    this.onTrouble(null, "");
    try {
      await this.onFrame(...parts(data));
    } finally {
      if (current()) {
        this.busy = false;
        this.ask();
      }
    }
  }

  ask() {
    if (this.asked || this.busy || document.hidden || this.socket?.readyState !== WebSocket.OPEN) return;
    this.asked = true;
    this.socket.send("next");
    this.wait(PATIENCE);
  }

  /** Look after a while whether a frame has come. */
  wait(pause) {
    clearTimeout(this.watch);
    const number = ++this.waits;
    this.watch = setTimeout(() => this.peek(() => number === this.waits), pause);
  }

  /** While no frame comes, the state alone: it may say what the source lacks. */
  async peek(waits) {
    this.onWaiting();
    const answer = await asked("state");
    const state = answer?.ok ? await answer.json().catch(() => null) : null;
    if (!waits()) return;
    if (state) this.onState(state);
    if (answer) this.wait(PATIENCE);
    else {
      // The network is gone; the socket would learn of it much later.
      this.close();
      this.later("lost", "");
    }
  }

  later(trouble, said) {
    clearTimeout(this.watch);
    this.waits++;
    // Where the stream had ended it is no failure that its server is gone, too.
    this.onTrouble(this.ended && trouble === "lost" ? "ended" : trouble, said);
    // Not all pages at the same moment.
    this.timer = setTimeout(() => document.hidden || this.connect(), this.pause * (0.8 + 0.4 * Math.random()));
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  wake() {
    clearTimeout(this.watch);
    this.waits++;
    if (document.hidden) return;
    if (this.asked) this.wait(0);
    else if (this.socket) this.ask();
    else this.retry();
  }
}

/** The answer to a plain request; null where there is none. */
async function asked(path, signal = AbortSignal.timeout(LONGEST_PAUSE)) {
  try {
    return await fetch(address(path), { cache: "no-store", signal });
  } catch {
    return null;
  }
}

/** Why a WebSocket was refused although the state was not: another path for viewers says it. */
async function whyRefused() {
  const abort = new AbortController();
  const answer = await asked("stream.mjpg", abort.signal);
  const full = answer?.status === 503;
  const said = full ? await saidBy(answer) : "";
  abort.abort();
  return [answer ? (full ? "full" : "refused") : "lost", said];
}

/** Head and JPEG of a binary message: the length of the head in 4 bytes, the head as JSON, the JPEG. */
function parts(data) {
  const length = new DataView(data).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  return [head, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" })];
}
