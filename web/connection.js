/**
 * The client library of the MangaAssist chat protocol: one conversation that outlives its sockets.
 *
 * The life of a question: `ask` gives it a message id and sends it as soon as a socket is open. Frames of its
 * response are put in order by `sequence_number` and handed on exactly once each. Where frames are missing, or the
 * socket died in between, the library asks for the rest (`resend`); where the server does not know the response any
 * more, it sends the same message id again, which the server answers once. A question therefore ends in one
 * `final` or one `error` frame, whatever the network does.
 *
 * Events (all `CustomEvent`):
 *   state    {state, retryInMs}    connecting | online | reconnecting | offline | asleep | closed
 *   frame    {messageId, frame}    frames of the current answer in order; `start` means: begin the text anew
 *   session  {lost}                the server opened another session than the one asked for
 */

export const SUBPROTOCOL = "mangaassist";
export const MAX_MESSAGE_CHARACTERS = 2000;

/** All in milliseconds. `config.json` may override them under `client`. */
export const DEFAULT_TIMINGS = Object.freeze({
  handshake: 10_000,
  /** The gateway closes a connection after 10 idle minutes. */
  pingInterval: 240_000,
  pongTimeout: 10_000,
  /** A page nobody uses stops pinging and lets the gateway close the connection. */
  sleepAfter: 1_800_000,
  backoffBase: 500,
  backoffCap: 30_000,
  /** How long a missing frame may be on its way before it is asked for. */
  gap: 1_000,
  busyCap: 5_000,
  /** The server ends every answer within 25 seconds. */
  silence: 30_000,
  /** Stored frames come at once; a resend that stays silent has nothing more to give. */
  resendSilence: 2_000,
  /** A token is renewed this long before it ends. */
  tokenLeeway: 30_000,
});

/** Recoveries (not reconnects) of one question before it is handed back to the shopper. */
const MAX_RECOVERIES = 4;
/** A message is in progress for one turn at most; eight growing waits outlast the 25 s of the longest one. */
const MAX_BUSY_WAITS = 8;
/** A refused handshake may mean a refused token; the second one in a row is worth a new token. */
const REFUSALS_BEFORE_NEW_TOKEN = 2;

export class ChatConnection extends EventTarget {
  #settings;
  #timings;
  #storage;
  #grant;
  #sessionId;
  #requestedSession = null;
  #socket = null;
  #opening = false;
  #state = "closed";
  #failures = 0;
  #refusals = 0;
  #turn = null;
  #endedResponses = new Set();
  #lastUse = Date.now();
  #timers = new Map();
  #listeners = null;
  /** Counts up when what is being opened is no longer wanted. */
  #epoch = 0;

  /**
   * @param {{websocketUrl: string, apiBase: string, protocolVersion: number, timings?: object,
   *          storage?: import("./storage.js").GuardedStorage}} settings
   */
  constructor({ storage = null, timings = {}, ...settings }) {
    super();
    this.#settings = settings;
    this.#timings = { ...DEFAULT_TIMINGS, ...timings };
    this.#storage = storage;
    this.#grant = storage?.get("grant") ?? null;
    this.#sessionId = storage?.get("session") ?? null;
  }

  get state() {
    return this.#state;
  }

  /** Whether a question is still waiting for the end of its answer. */
  get busy() {
    return this.#turn !== null;
  }

  /** Opens the connection and keeps it open until `close`. */
  connect() {
    if (this.#listeners) return;
    this.#listeners = new AbortController();
    const options = { signal: this.#listeners.signal };
    addEventListener("online", () => this.#wake(), options);
    addEventListener("offline", () => this.#wake(), options);
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake(), options);
    void this.#open();
  }

  close() {
    this.#epoch += 1;
    this.#listeners?.abort();
    this.#listeners = null;
    this.#turn = null;
    this.#discardSocket();
    this.#clearTimers();
    this.#announce("closed");
  }

  /** Tells the library that somebody is using the page, so that the connection is worth keeping. */
  touch() {
    this.#lastUse = Date.now();
    if (this.#state === "asleep") void this.#open();
  }

  /**
   * Sends a question, now or as soon as the connection is back. Pass the `messageId` of an earlier `ask` to try it
   * again or to go on with it after a page reload: the server answers an id once.
   */
  ask(text, contextHints, messageId = newMessageId()) {
    if (this.#turn) throw new Error("One question at a time: wait for the final or error frame.");
    this.#turn = {
      messageId,
      text,
      contextHints,
      responseId: null,
      next: 0,
      early: new Map(),
      recoveries: 0,
      busyWaits: 0,
      resent: false,
      interrupted: false,
    };
    this.touch();
    this.#deliver();
    return messageId;
  }

  /** Forgets the session: the next question starts a fresh conversation. */
  startOver() {
    this.#epoch += 1;
    this.#turn = null;
    this.#rememberSession(null);
    this.#requestedSession = null;
    this.#discardSocket();
    this.#clearTimers();
    if (this.#listeners) void this.#open();
  }

  // --- opening ---------------------------------------------------------------------------------------

  async #open() {
    if (this.#opening || this.#socket || !this.#listeners) return;
    this.#opening = true;
    this.#cancel("reconnect");
    this.#announce(this.#failures === 0 ? "connecting" : "reconnecting");
    const epoch = this.#epoch;
    let socket = null;
    try {
      socket = await this.#handshakeWithRenewal();
    } catch {
      this.#failures += 1;
    }
    this.#opening = false;
    if (epoch !== this.#epoch) {
      socket?.close();
      void this.#open();
    } else if (socket) {
      this.#adopt(socket);
    } else {
      this.#scheduleReconnect();
    }
  }

  async #handshakeWithRenewal() {
    const known = this.#usableGrant();
    try {
      const socket = await this.#handshake((known ?? (await this.#renewGrant())).token);
      this.#refusals = 0;
      return socket;
    } catch (refusal) {
      this.#refusals += 1;
      if (!known || this.#refusals < REFUSALS_BEFORE_NEW_TOKEN) throw refusal;
      // The browser does not say why a handshake failed. The old token, and with it the session, is only given up
      // once a new one was accepted where the old one was not.
      const fresh = await this.#requestGrant();
      const socket = await this.#handshake(fresh.token);
      this.#rememberGrant(fresh);
      this.#refusals = 0;
      return socket;
    }
  }

  #usableGrant() {
    const leeway = this.#timings.tokenLeeway;
    return this.#grant && this.#grant.expiresAt - leeway > Date.now() ? this.#grant : null;
  }

  async #renewGrant() {
    const grant = await this.#requestGrant();
    this.#rememberGrant(grant);
    return grant;
  }

  async #requestGrant() {
    const response = await fetch(`${this.#settings.apiBase}/v1/chat/guest-tokens`, {
      method: "POST",
      headers: { accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(this.#timings.handshake),
    });
    if (!response.ok) throw new Error(`The guest token was refused with status ${response.status}.`);
    const { token, expires_in_seconds: lifetime } = await response.json();
    // Counted from now, not from `expires_at`: the shopper's clock may be wrong.
    return { token, expiresAt: Date.now() + lifetime * 1000 };
  }

  #rememberGrant(grant) {
    this.#grant = grant;
    this.#storage?.set("grant", grant);
  }

  #rememberSession(sessionId) {
    this.#sessionId = sessionId;
    if (sessionId) this.#storage?.set("session", sessionId);
    else this.#storage?.remove("session");
  }

  #handshake(token) {
    const url = new URL(this.#settings.websocketUrl);
    url.searchParams.set("protocol_version", String(this.#settings.protocolVersion));
    if (this.#sessionId) url.searchParams.set("session_id", this.#sessionId);
    const requestedSession = this.#sessionId;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, [SUBPROTOCOL, token]);
      const abandon = () => {
        clearTimeout(deadline);
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(new Error("The handshake failed."));
      };
      const deadline = setTimeout(abandon, this.#timings.handshake);
      socket.onclose = abandon;
      socket.onopen = () => {
        clearTimeout(deadline);
        this.#requestedSession = requestedSession;
        socket.onopen = socket.onclose = null;
        resolve(socket);
      };
    });
  }

  #adopt(socket) {
    if (socket.readyState !== WebSocket.OPEN) {
      this.#lose();
      return;
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#lose();
    this.#announce("online");
    this.#armPing();
    this.#deliver();
  }

  #lose() {
    this.#discardSocket();
    this.#cancel("ping", "pong", "gap", "silence", "retry");
    if (this.#turn) this.#turn.interrupted = true;
    if (!this.#turn && this.#idle()) this.#announce("asleep");
    else this.#scheduleReconnect();
  }

  #discardSocket() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    // A dead link reports its close minutes late; nothing it says counts any more.
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Exponential back-off with full jitter, so that a restarted server is not met by all pages at once. */
  #scheduleReconnect() {
    const delay = this.#backoff(this.#failures);
    // `onLine` is only a hint (it knows nothing of servers on this machine), so it never stops the attempts.
    this.#announce(navigator.onLine ? "reconnecting" : "offline", delay);
    this.#arm("reconnect", delay, () => void this.#open());
  }

  #wake() {
    if (this.#socket) this.#ping();
    else if (this.#state !== "asleep") void this.#open();
  }

  // --- keeping alive ---------------------------------------------------------------------------------

  #armPing() {
    this.#arm("ping", this.#timings.pingInterval, () => (this.#idle() ? undefined : this.#ping()));
  }

  #idle() {
    return Date.now() - this.#lastUse > this.#timings.sleepAfter;
  }

  #ping() {
    this.#send({ action: "ping" });
    // The first unanswered ping counts; later ones must not put the verdict off.
    if (!this.#timers.has("pong")) this.#arm("pong", this.#timings.pongTimeout, () => this.#lose());
  }

  // --- sending ---------------------------------------------------------------------------------------

  #send(command) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(command));
    this.#armPing();
  }

  /** Brings the current question where it belongs: asks it, or asks for the rest of its answer. */
  #deliver() {
    const turn = this.#turn;
    if (!turn || !this.#socket) return;
    if (turn.responseId) this.#requestRest();
    else this.#sendMessage();
  }

  #sendMessage() {
    const { messageId, text, contextHints } = this.#turn;
    this.#turn.resent = false;
    this.#send({ action: "message", message_id: messageId, text, context_hints: contextHints });
    this.#armSilence(this.#timings.silence);
  }

  #requestRest() {
    const { responseId, next } = this.#turn;
    this.#turn.resent = true;
    this.#send({ action: "resend", response_id: responseId, from_sequence: next });
    this.#armSilence(this.#timings.resendSilence);
  }

  #armSilence(delay) {
    this.#arm("silence", delay, () => {
      this.#ping();
      this.#recover();
    });
  }

  /** Tries the other way to the end of an answer: a resend first, then the question itself. */
  #recover() {
    const turn = this.#turn;
    if (!turn) return;
    turn.recoveries += 1;
    if (turn.recoveries > MAX_RECOVERIES) {
      this.#fail();
    } else if (turn.responseId && !turn.resent) {
      this.#requestRest();
    } else {
      this.#sendMessage();
    }
  }

  /** Ends the question with an error frame of our own. */
  #fail() {
    const { responseId, next } = this.#turn;
    this.#hand({
      type: "error",
      response_id: responseId ?? "client",
      sequence_number: next,
      code: "internal",
      message: "",
      retryable: true,
    });
  }

  // --- receiving -------------------------------------------------------------------------------------

  #receive(data) {
    this.#cancel("pong");
    this.#failures = 0;
    this.#armPing();
    const frame = parse(data);
    if (!frame || !this.#turn) return;
    if (typeof frame.type !== "string") {
      // The gateway's own errors ("Internal server error", "Endpoint request timed out") are not protocol frames.
      this.#arm("retry", this.#backoff(this.#turn.recoveries), () => this.#recover());
      return;
    }
    // The server replays an answer it knows under the response id it had.
    if (this.#begins(frame)) this.#endedResponses.delete(frame.response_id);
    if (frame.type === "pong" || this.#endedResponses.has(frame.response_id)) return;
    if (this.#isRefusal(frame)) this.#refused(frame);
    else if (this.#belongs(frame)) this.#sort(frame);
  }

  /** An error without a response of its own answers the last command. */
  #isRefusal(frame) {
    const turn = this.#turn;
    return (
      frame.type === "error" &&
      frame.sequence_number === 0 &&
      frame.response_id !== turn.responseId &&
      (turn.responseId === null || turn.resent || turn.recoveries > 0)
    );
  }

  #begins(frame) {
    return frame.type === "start" && frame.message_id === this.#turn.messageId;
  }

  #belongs(frame) {
    const turn = this.#turn;
    if (frame.response_id === turn.responseId) return true;
    // A response may also show itself by a later frame, when its `start` was lost or overtaken.
    if (!this.#begins(frame) && (turn.responseId !== null || frame.type === "start")) return false;
    if (turn.responseId) this.#endedResponses.add(turn.responseId);
    turn.responseId = frame.response_id;
    turn.next = 0;
    turn.early.clear();
    return true;
  }

  #refused(frame) {
    const turn = this.#turn;
    const final = turn.recoveries >= MAX_RECOVERIES;
    if (frame.code === "message_in_progress" && turn.busyWaits < MAX_BUSY_WAITS) {
      const wait = Math.min(this.#timings.busyCap, this.#timings.backoffBase * 2 ** turn.busyWaits);
      turn.busyWaits += 1;
      this.#cancel("silence");
      this.#arm("retry", wait, () => this.#deliver());
    } else if (frame.code === "unknown_response" && turn.resent && !final) {
      this.#recover();
    } else if (frame.code === "session_expired" && !final) {
      turn.recoveries += 1;
      this.#discardSocket();
      this.#clearTimers();
      void this.#open();
    } else {
      this.#hand(frame);
    }
  }

  /** Hands frames on in order and once each; asks for those that stay away. */
  #sort(frame) {
    const turn = this.#turn;
    if (frame.sequence_number < turn.next) return;
    this.#cancel("retry");
    turn.early.set(frame.sequence_number, frame);
    this.#armSilence(turn.resent ? this.#timings.resendSilence : this.#timings.silence);
    for (let ready; (ready = turn.early.get(turn.next)); ) {
      turn.early.delete(turn.next);
      turn.next += 1;
      this.#hand(ready);
      if (this.#turn !== turn) return;
    }
    if (turn.early.size === 0) this.#cancel("gap");
    else if (!this.#timers.has("gap")) this.#arm("gap", this.#timings.gap, () => this.#requestRest());
  }

  #hand(frame) {
    const turn = this.#turn;
    if (frame.type === "start") this.#enterSession(frame);
    if (frame.type === "error" && frame.retryable && turn.interrupted && turn.recoveries < MAX_RECOVERIES) {
      // The answer broke because our connection did: that is ours to mend, not the shopper's.
      turn.interrupted = false;
      turn.recoveries += 1;
      this.#cancel("gap");
      this.#sendMessage();
      return;
    }
    if (frame.type === "final" || frame.type === "error") {
      this.#endedResponses.add(frame.response_id);
      this.#turn = null;
      this.#cancel("gap", "silence", "retry");
    }
    this.#emit("frame", { messageId: turn.messageId, frame });
  }

  #enterSession(start) {
    const lost = this.#requestedSession !== null && start.session_id !== this.#requestedSession;
    this.#requestedSession = start.session_id;
    this.#rememberSession(start.session_id);
    if (lost) this.#emit("session", { lost: true });
  }

  // --- small tools -----------------------------------------------------------------------------------

  #backoff(attempt) {
    return Math.random() * Math.min(this.#timings.backoffCap, this.#timings.backoffBase * 2 ** attempt);
  }

  #announce(state, retryInMs = null) {
    if (state === this.#state && retryInMs === null) return;
    this.#state = state;
    this.#emit("state", { state, retryInMs });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #arm(name, delay, action) {
    clearTimeout(this.#timers.get(name));
    const fire = () => {
      this.#timers.delete(name);
      action();
    };
    this.#timers.set(name, setTimeout(fire, delay));
  }

  #cancel(...names) {
    for (const name of names) {
      clearTimeout(this.#timers.get(name));
      this.#timers.delete(name);
    }
  }

  #clearTimers() {
    this.#cancel(...this.#timers.keys());
  }
}

/** 128 random bits; unlike `randomUUID` also outside secure contexts. */
export function newMessageId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parse(data) {
  try {
    const document = JSON.parse(data);
    return typeof document === "object" && document !== null && !Array.isArray(document) ? document : null;
  } catch {
    return null;
  }
}
