import { MAX_MESSAGE_CHARACTERS } from "./connection.js";
import { h, icon } from "./dom.js";

/** The counter appears when this share of the limit is used. */
const COUNTER_FROM = 0.75;

/** Where a question is written. Enter sends, Shift+Enter breaks the line, Enter in an input method only confirms. */
export class Composer {
  #translator;
  #ask;
  #busy = false;
  #input;
  #counter = h("p", { class: "counter", id: "counter" });
  #status = h("p", { class: "composer-status", role: "status" });
  #send;

  /** @param {{translator: import("./locale.js").Translator, draft: string, ask: (text: string) => void}} options */
  constructor({ translator, draft, ask }) {
    this.#translator = translator;
    this.#ask = ask;
    this.#input = h("textarea", {
      id: "question",
      rows: 1,
      placeholder: translator.text("composer.placeholder"),
      "aria-describedby": "composer-hint counter",
      enterkeyhint: "send",
      autocomplete: "off",
      oninput: () => this.#measure(),
      onkeydown: (event) => this.#key(event),
    });
    this.#send = h(
      "button",
      { type: "submit", class: "send", "aria-label": translator.text("composer.send") },
      icon("M12 19.5V5", "M5.5 11.5L12 5l6.5 6.5"),
    );
    this.element = h(
      "form",
      { class: "composer", onsubmit: (event) => this.#submit(event) },
      h("label", { class: "visually-hidden", for: "question" }, translator.text("composer.label")),
      h("div", { class: "composer-field" }, this.#input, this.#send),
      h(
        "div",
        { class: "composer-foot" },
        h("p", { class: "composer-hint", id: "composer-hint" }, translator.text("composer.hint")),
        this.#status,
        this.#counter,
        h("p", {}, translator.text("app.footnote")),
      ),
    );
    this.#input.value = draft;
    this.#measure();
  }

  get draft() {
    return this.#input.value;
  }

  set busy(busy) {
    this.#busy = busy;
    this.#status.textContent = "";
    this.#measure();
  }

  focus() {
    this.#input.focus();
  }

  #key(event) {
    // 229 is what browsers report while an input method is at work; Safari ends the composition before the key event.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.element.requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#input.value.trim();
    if (text === "" || characters(text) > MAX_MESSAGE_CHARACTERS) return;
    if (this.#busy) {
      this.#status.textContent = this.#translator.text("composer.busy");
      return;
    }
    this.#input.value = "";
    this.#measure();
    this.#ask(text);
  }

  #measure() {
    const count = characters(this.#input.value.trim());
    const over = count - MAX_MESSAGE_CHARACTERS;
    const tooLong = over > 0;
    this.#counter.hidden = count < MAX_MESSAGE_CHARACTERS * COUNTER_FROM;
    this.#counter.classList.toggle("too-long", tooLong);
    this.#counter.textContent = tooLong
      ? this.#text("composer.tooLong", { over, limit: MAX_MESSAGE_CHARACTERS })
      : this.#text("composer.count", { count, limit: MAX_MESSAGE_CHARACTERS });
    this.#input.setAttribute("aria-invalid", String(tooLong));
    this.#send.setAttribute("aria-disabled", String(tooLong || count === 0 || this.#busy));
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }

  #text(key, numbers) {
    const values = Object.entries(numbers).map(([name, value]) => [name, this.#translator.number(value)]);
    return this.#translator.text(key, Object.fromEntries(values));
  }
}

/** Characters as the server counts them: code points, so that an emoji or a rare kanji is one. */
function characters(text) {
  return [...text].length;
}
