import { h } from "./dom.js";
import { plainText } from "./formatted-text.js";
import { scriptLocale } from "./locale.js";

const SENTENCE_END = /[.!?](?=\s)|[。！？]|\n/g;
/** Shorter pieces interrupt a screen reader more than they tell. */
const MIN_BATCH_CHARACTERS = 60;
/** What was read out must not be met a second time when browsing the page. */
const FORGET_AFTER_MS = 15_000;

/**
 * Speaks to screen readers through a polite live region of its own. A streaming answer is read in whole sentences,
 * because the visible text changes many times a second.
 */
export class Announcer {
  #spoken = 0;
  element = h("div", { class: "visually-hidden", "aria-live": "polite", "aria-relevant": "additions" });

  say(text) {
    if (text.trim() === "") return;
    const line = h("p", { lang: scriptLocale(text) }, text);
    this.element.append(line);
    setTimeout(() => line.remove(), FORGET_AFTER_MS);
  }

  beginAnswer() {
    this.#spoken = 0;
  }

  /** Reads the sentences of `text` that were completed since the last call. */
  follow(text) {
    const rest = text.slice(this.#spoken);
    const end = [...rest.matchAll(SENTENCE_END)].at(-1);
    const length = end ? end.index + end[0].length : 0;
    if (length >= MIN_BATCH_CHARACTERS) this.#read(rest.slice(0, length));
  }

  finishAnswer(text) {
    this.#read(text.slice(this.#spoken));
  }

  #read(piece) {
    this.#spoken += piece.length;
    this.say(plainText(piece));
  }
}
