/**
 * `<manga-assist>`: the chat of the store, to be put on any page.
 *
 *   <script type="module" src="manga-assist.js"></script>
 *   <manga-assist></manga-assist>
 *
 * Attributes: `config` (address of the settings, `config.json` by default), `surface` and `product-asin` (where the
 * shopper is), `autofocus`. Fires `localechange` when the shopper switches the language.
 */
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { ChatConnection, newMessageId } from "./connection.js";
import { h, icon } from "./dom.js";
import { Translator, chooseLocale } from "./locale.js";
import { LOCALES } from "./messages.js";
import { GuardedStorage } from "./storage.js";
import { TurnView, errorSentence, newTurn, unanswered } from "./turn-view.js";

const STYLESHEET = new URL("manga-assist.css", import.meta.url);
const LANGUAGE_NAMES = { en: "English", ja: "日本語" };
const EXAMPLES = ["example.1", "example.2", "example.3", "example.4"];
/** Turns kept for a page reload. */
const REMEMBERED_TURNS = 30;
/** Closer to the end than this counts as reading along. */
const NEAR_END_PX = 48;

export class MangaAssist extends HTMLElement {
  #preferences = new GuardedStorage("localStorage", "manga-assist.");
  #memory = new GuardedStorage("sessionStorage", "manga-assist.");
  #translator = new Translator(chooseLocale(this.#preferences.get("locale")));
  #announcer = new Announcer();
  #connection = null;
  #broken = false;
  /** @type {import("./turn-view.js").Turn[]} */
  #turns = [];
  /** @type {Map<import("./turn-view.js").Turn, TurnView>} */
  #views = new Map();
  #composer = null;
  #log = null;
  #latest = null;
  #status = null;
  #following = true;
  #stale = new Set();
  #countdown = null;
  #lost = false;
  #resize = new ResizeObserver(() => this.#follow());

  get locale() {
    return this.#translator.locale;
  }

  set locale(locale) {
    if (!LOCALES.includes(locale) || locale === this.locale) return;
    this.#preferences.set("locale", locale);
    this.#translator = new Translator(locale);
    this.#draw();
    this.shadowRoot.querySelector(`[data-locale="${locale}"]`).focus();
    this.dispatchEvent(new CustomEvent("localechange", { detail: { locale }, bubbles: true }));
  }

  async connectedCallback() {
    if (this.shadowRoot) {
      this.#connection?.connect();
      return;
    }
    this.attachShadow({ mode: "open" });
    const [config] = await Promise.all([this.#settings(), this.#dress()]);
    this.#turns = this.#memory.get("turns") ?? [];
    if (config) this.#start(config);
    this.#draw();
    if (this.hasAttribute("autofocus")) this.#composer.focus();
    this.toggleAttribute("ready", true);
  }

  disconnectedCallback() {
    this.#connection?.close();
    clearInterval(this.#countdown);
  }

  // --- starting --------------------------------------------------------------------------------------

  async #settings() {
    try {
      const address = new URL(this.getAttribute("config") ?? "config.json", document.baseURI);
      const response = await fetch(address, { cache: "no-cache" });
      if (!response.ok) throw new Error(`config.json answered ${response.status}.`);
      return await response.json();
    } catch (error) {
      console.error("MangaAssist cannot start:", error);
      this.#broken = true;
      return null;
    }
  }

  async #dress() {
    const sheet = new CSSStyleSheet();
    this.shadowRoot.adoptedStyleSheets = [sheet];
    try {
      sheet.replaceSync(await (await fetch(STYLESHEET)).text());
    } catch (error) {
      console.error("MangaAssist goes without its style sheet:", error);
    }
  }

  #start(config) {
    this.#connection = new ChatConnection({
      websocketUrl: config.websocket_url,
      apiBase: config.api_base,
      protocolVersion: config.protocol_version,
      timings: config.client,
      storage: this.#memory,
    });
    this.#connection.addEventListener("state", ({ detail }) => this.#stateChanged(detail));
    this.#connection.addEventListener("frame", ({ detail }) => this.#frameArrived(detail.frame));
    this.#connection.addEventListener("session", () => this.#sessionLost());
    this.#connection.connect();
    if (this.#unfinished) this.#send(this.#unfinished);
  }

  // --- talking ---------------------------------------------------------------------------------------

  #ask(question) {
    if (!this.#connection || this.#connection.busy) return;
    const turn = newTurn(newMessageId(), question);
    this.#turns.push(turn);
    this.#send(turn);
    this.#following = true;
    this.#drawTurns();
    this.#composer.focus();
  }

  #retry(turn) {
    if (this.#connection.busy) return;
    this.#send(turn);
    this.#refresh(turn);
    this.#composer.focus();
  }

  #send(turn) {
    Object.assign(turn, unanswered());
    const productAsin = this.getAttribute("product-asin");
    const hints = { surface: this.getAttribute("surface") ?? "web", locale: this.locale };
    if (productAsin) hints.product_asin = productAsin;
    this.#announcer.beginAnswer();
    this.#announcer.say(this.#translator.text("announce.thinking"));
    this.#connection.ask(turn.question, hints, turn.messageId);
    this.#remember();
    this.#showBusy();
  }

  #startOver() {
    this.#connection?.startOver();
    this.#turns = [];
    this.#memory.remove("turns");
    this.#draw();
    this.#composer.focus();
  }

  get #unfinished() {
    return this.#turns.find(({ phase }) => phase === "waiting" || phase === "streaming");
  }

  #frameArrived(frame) {
    const turn = this.#unfinished;
    if (!turn) return;
    FRAMES[frame.type]?.(turn, frame, this.#announcer);
    if (turn.phase === "done") {
      this.#announceEnd(turn);
    } else if (turn.phase === "failed") {
      this.#announcer.finishAnswer(turn.text);
      this.#announcer.say(errorSentence(turn.error, this.#translator));
    } else if (frame.type === "correction") {
      this.#announcer.say(this.#translator.text("announce.correction", { text: frame.text }));
    }
    if (turn.phase === "done" || turn.phase === "failed") {
      this.#remember();
      this.#showBusy();
    }
    this.#refresh(turn);
  }

  #announceEnd({ text, corrections, final }) {
    // A correction was read as a whole already.
    if (!corrections) this.#announcer.finishAnswer(text);
    const count = final.cards.length;
    if (count > 0) {
      this.#announcer.say(this.#translator.text(`announce.cards.${count === 1 ? "one" : "many"}`, { count }));
    }
  }

  #sessionLost() {
    // Whoever has asked only one question has no conversation to lose.
    if (this.#turns.length > 1 && this.#unfinished) this.#unfinished.sessionLost = true;
  }

  #remember() {
    this.#memory.set("turns", this.#turns.slice(-REMEMBERED_TURNS));
  }

  // --- connection state ------------------------------------------------------------------------------

  #stateChanged({ state, retryInMs }) {
    const interrupted = state === "reconnecting" || state === "offline";
    if (interrupted && this.dataset.state === "online") {
      this.#lost = true;
      this.#announcer.say(this.#translator.text("announce.offline"));
    } else if (state === "online" && this.#lost) {
      this.#lost = false;
      this.#announcer.say(this.#translator.text("announce.online"));
    }
    this.dataset.state = state;
    clearInterval(this.#countdown);
    const retryAt = Date.now() + (retryInMs ?? 0);
    const show = () => this.#showState(state, Math.ceil((retryAt - Date.now()) / 1000));
    if (retryInMs > 1000) this.#countdown = setInterval(show, 1000);
    show();
  }

  #showState(state, seconds) {
    if (!this.#status) return;
    const counting = state === "reconnecting" && seconds > 1;
    this.#status.textContent = counting
      ? this.#translator.text("state.reconnectingIn", { seconds })
      : this.#translator.text(`state.${state}`);
  }

  #showBusy() {
    if (this.#composer) this.#composer.busy = this.#connection?.busy ?? true;
  }

  // --- drawing ---------------------------------------------------------------------------------------

  #draw() {
    const t = this.#translator;
    const draft = this.#composer?.draft ?? "";
    this.lang = t.locale;
    this.#views.clear();
    this.#composer = new Composer({ translator: t, draft, ask: (text) => this.#ask(text) });
    this.#log = h("div", {
      class: "log",
      role: "region",
      tabindex: 0,
      "aria-label": t.text("log.label"),
      onscroll: () => this.#scrolled(),
    });
    this.#latest = h(
      "button",
      { type: "button", class: "latest", hidden: true, onclick: () => this.#scrollToEnd() },
      icon("M12 5v14", "M6 13l6 6 6-6"),
      t.text("log.latest"),
    );
    this.shadowRoot.replaceChildren(
      h(
        "section",
        { class: "sheet", "aria-label": t.text("app.label") },
        this.#header(),
        h("div", { class: "log-frame" }, this.#log, this.#latest),
        this.#composer.element,
        this.#announcer.element,
      ),
    );
    this.#showState(this.#connection?.state ?? "closed", 0);
    this.#resize.disconnect();
    this.#resize.observe(this.#log);
    this.#drawTurns();
    this.#showBusy();
  }

  #header() {
    const t = this.#translator;
    this.#status = h("span", { class: "state-text" });
    return h(
      "header",
      {},
      h("span", { class: "seal", "aria-hidden": "true" }, icon("M12 6.5C10 5 7 4.7 4 5v13c3-.3 6 0 8 1.5", "M12 6.5C14 5 17 4.7 20 5v13c-3-.3-6 0-8 1.5z")),
      h("div", { class: "brand" }, h("h1", {}, t.text("page.title")), h("p", {}, t.text("app.tagline"))),
      h("p", { class: "state" }, h("span", { class: "state-dot", "aria-hidden": "true" }), this.#status),
      h(
        "div",
        { class: "languages", role: "group", "aria-label": t.text("app.language") },
        LOCALES.map((locale) =>
          h(
            "button",
            {
              type: "button",
              lang: locale,
              "data-locale": locale,
              "aria-pressed": String(locale === this.locale),
              onclick: () => (this.locale = locale),
            },
            LANGUAGE_NAMES[locale],
          ),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "icon-button new-conversation",
          "aria-label": t.text("app.newConversation"),
          title: t.text("app.newConversation"),
          onclick: () => this.#startOver(),
        },
        icon("M12 5v14", "M5 12h14"),
      ),
    );
  }

  #drawTurns() {
    if (this.#turns.length === 0) {
      this.#log.replaceChildren(this.#broken ? this.#brokenNotice() : this.#welcome());
      return;
    }
    this.#log.querySelector(".welcome")?.remove();
    for (const turn of this.#turns) {
      if (this.#views.has(turn)) continue;
      const view = new TurnView(turn, this.#translator, {
        ask: (text) => this.#ask(text),
        retry: () => this.#retry(turn),
      });
      this.#views.set(turn, view);
      this.#log.append(view.element);
    }
    this.#follow();
  }

  #welcome() {
    const t = this.#translator;
    return h(
      "div",
      { class: "welcome" },
      h("h2", {}, t.text("welcome.title")),
      h("p", {}, t.text("welcome.text")),
      h(
        "ul",
        { class: "examples", role: "list", "aria-label": t.text("welcome.examples") },
        EXAMPLES.map((key) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", onclick: () => this.#ask(t.text(key)) },
              h("small", {}, t.text(`${key}.label`)),
              h("span", {}, t.text(key)),
            ),
          ),
        ),
      ),
    );
  }

  #brokenNotice() {
    return h(
      "div",
      { class: "welcome" },
      h(
        "div",
        { class: "error", role: "alert" },
        h("p", {}, this.#translator.text("error.config")),
        h(
          "button",
          { type: "button", class: "chip retry", onclick: () => location.reload() },
          this.#translator.text("turn.retry"),
        ),
      ),
    );
  }

  /** Redraws a turn with the next frame of the screen, however many frames of the stream arrive until then. */
  #refresh(turn) {
    if (this.#stale.size === 0) requestAnimationFrame(() => this.#refreshNow());
    this.#stale.add(turn);
  }

  #refreshNow() {
    const stale = [...this.#stale];
    this.#stale.clear();
    for (const turn of stale) {
      this.#views.get(turn)?.update();
      if (turn.phase === "streaming" && !turn.corrections) this.#announcer.follow(turn.text);
    }
    this.#follow();
  }

  // --- scrolling -------------------------------------------------------------------------------------

  #scrolled() {
    this.#following = this.#distanceToEnd() < NEAR_END_PX || (this.#following && this.#pinned());
    this.#latest.hidden = this.#turns.length === 0 || this.#distanceToEnd() < NEAR_END_PX;
  }

  #distanceToEnd() {
    return this.#log.scrollHeight - this.#log.clientHeight - this.#log.scrollTop;
  }

  #pinned() {
    return Math.abs(this.#log.scrollTop - this.#readingPosition()) < NEAR_END_PX;
  }

  /** As far down as possible without pushing the current question out of sight: answers are read from their top. */
  #readingPosition() {
    const end = this.#log.scrollHeight - this.#log.clientHeight;
    const newest = this.#views.get(this.#turns.at(-1));
    return newest ? Math.min(end, newest.element.offsetTop) : end;
  }

  #follow() {
    if (this.#following && this.#turns.length > 0) this.#log.scrollTop = this.#readingPosition();
    this.#scrolled();
  }

  #scrollToEnd() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#log.scrollTo({ top: this.#log.scrollHeight, behavior: calm ? "instant" : "smooth" });
    this.#composer.focus();
  }
}

/** What each kind of frame does to a turn. Kinds this page does not know are skipped. */
const FRAMES = {
  start(turn, frame, announcer) {
    Object.assign(turn, unanswered());
    announcer.beginAnswer();
  },
  delta(turn, { text }) {
    turn.text += text;
    turn.phase = "streaming";
  },
  correction(turn, { text, reasons }) {
    turn.text = text;
    turn.corrections = reasons;
    turn.phase = "streaming";
  },
  final(turn, frame) {
    turn.final = frame;
    turn.phase = "done";
  },
  error(turn, frame) {
    turn.error = frame;
    turn.phase = "failed";
  },
};

customElements.define("manga-assist", MangaAssist);
