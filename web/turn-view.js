import { h, icon } from "./dom.js";
import { renderText } from "./formatted-text.js";
import { howItCameAbout } from "./how-it-came-about.js";
import { scriptLocale } from "./locale.js";
import { MESSAGES } from "./messages.js";
import { productCard } from "./product-card.js";
import { safeUrl } from "./safe-url.js";

const STAND_IN = "stand-in:";

/**
 * A question and its answer, as data; what is shown is drawn from it and nothing else.
 *
 * @typedef {{messageId: string, question: string, text: string, phase: "waiting" | "streaming" | "done" | "failed",
 *            corrections: {stage: string, reason: string}[] | null, final: object | null, error: object | null,
 *            sessionLost: boolean}} Turn
 */

/** @returns {Turn} */
export function newTurn(messageId, question) {
  return { messageId, question, sessionLost: false, ...unanswered() };
}

/** What a turn forgets when its answer begins anew. */
export function unanswered() {
  return { text: "", phase: "waiting", corrections: null, final: null, error: null };
}

/** What an error frame tells the shopper, in the language of the page where the page knows the code. */
export function errorSentence({ code, message }, translator) {
  const key = `error.${code}`;
  return Object.hasOwn(MESSAGES.en, key) ? translator.text(key) : message;
}

/** The text so far without a `**` that is not closed yet, so that marks do not flash by while it streams. */
function withoutOpenMark(text) {
  const marks = text.split("**");
  return marks.length % 2 === 0 ? `${marks.slice(0, -1).join("**")}${marks.at(-1)}` : text;
}

/** Draws one turn; `update` brings the drawing up to the turn's state. */
export class TurnView {
  #turn;
  #translator;
  #actions;
  #text = h("div", { class: "answer-text" });
  #answer;
  #shownPhase = null;

  /**
   * @param {Turn} turn
   * @param {import("./locale.js").Translator} translator
   * @param {{ask: (text: string) => void, retry: () => void}} actions
   */
  constructor(turn, translator, actions) {
    this.#turn = turn;
    this.#translator = translator;
    this.#actions = actions;
    this.#answer = h("div", { class: "answer" });
    this.element = h(
      "article",
      { class: "turn" },
      h(
        "div",
        { class: "question", lang: scriptLocale(turn.question) },
        this.#heading("turn.you"),
        h("p", {}, turn.question),
      ),
      this.#answer,
    );
    this.update();
  }

  update() {
    const { text, phase, final } = this.#turn;
    this.#text.lang = final?.metadata.language ?? scriptLocale(text);
    renderText(this.#text, phase === "streaming" ? withoutOpenMark(text) : text, final?.citations, ({ index, title }) =>
      this.#translator.text("turn.citation", { index, title }),
    );
    if (phase === this.#shownPhase && phase === "streaming" && !this.#turn.corrections) return;
    this.#shownPhase = phase;
    this.element.dataset.phase = phase;
    this.#answer.setAttribute("aria-busy", String(phase === "waiting" || phase === "streaming"));
    this.#answer.replaceChildren(...[this.#heading("turn.assistant"), ...this.#parts()].filter(Boolean));
  }

  #heading(key) {
    return h("h2", { class: "visually-hidden" }, this.#translator.text(key));
  }

  #parts() {
    const { phase, sessionLost, corrections, final, error, text } = this.#turn;
    return [
      sessionLost && this.#note("session-lost", "turn.sessionLost"),
      text !== "" && this.#text,
      phase === "waiting" && this.#thinking(),
      corrections && this.#note("correction", "turn.correction"),
      ...(final ? this.#ending(final) : []),
      error && this.#error(error),
    ];
  }

  #note(kind, key, values = {}) {
    return h("p", { class: `note note-${kind}` }, this.#translator.text(key, values));
  }

  #thinking() {
    return h(
      "p",
      { class: "thinking" },
      h("span", { class: "thinking-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", { class: "thinking-text" }, this.#translator.text("turn.thinking")),
      h("span", { class: "waiting-text" }, this.#translator.text("turn.waiting")),
    );
  }

  #ending({ cards, buttons, metadata }) {
    const t = this.#translator;
    const answeredBy = metadata.answered_by ?? "";
    return [
      answeredBy.startsWith(STAND_IN) &&
        this.#note("stand-in", "turn.standIn", { name: answeredBy.slice(STAND_IN.length) }),
      cards.length > 0 &&
        h(
          "ul",
          { class: "cards", role: "list", "aria-label": t.text("cards.label") },
          cards.map((card) => productCard(card, t)),
        ),
      this.#buttons(buttons),
      howItCameAbout({ metadata, corrections: this.#turn.corrections ?? [] }, t),
    ];
  }

  #buttons(buttons) {
    const shown = buttons.map((button) => this.#button(button)).filter(Boolean);
    if (shown.length === 0) return null;
    return h("div", { class: "actions", role: "group", "aria-label": this.#translator.text("turn.next") }, shown);
  }

  #button({ kind, label, text, url }) {
    if (kind === "message" && text) {
      return h("button", { type: "button", class: "chip", onclick: () => this.#actions.ask(text) }, label);
    }
    const href = safeUrl(url);
    return kind === "link" && href
      ? h("a", { class: "chip", href, target: "_blank", rel: "noopener noreferrer" }, label)
      : null;
  }

  #error(error) {
    const sentence = errorSentence(error, this.#translator);
    return h(
      "div",
      { class: "error", "data-code": error.code },
      h("p", {}, icon("M12 3.5l9 16H3z", "M12 10v4.5", "M12 17v.2"), sentence),
      error.retryable &&
        h(
          "button",
          { type: "button", class: "chip retry", onclick: () => this.#actions.retry() },
          this.#translator.text("turn.retry"),
        ),
    );
  }
}
