import { LOCALES, MESSAGES } from "./messages.js";

/** The first language we speak of: the address (`?lang=`), the shopper's earlier choice, the browser. */
export function chooseLocale(remembered) {
  const asked = new URLSearchParams(location.search).get("lang");
  const wishes = [asked, remembered, ...(navigator.languages ?? [navigator.language])];
  for (const wish of wishes) {
    const language = String(wish ?? "").toLowerCase().split("-")[0];
    if (LOCALES.includes(language)) return language;
  }
  return "en";
}

/** The language a text is written in, as far as its script tells: kana means Japanese. */
export function scriptLocale(text) {
  return /[\u3041-\u30ff]/.test(text) ? "ja" : "en";
}

/** Texts, numbers and amounts in one language. */
export class Translator {
  constructor(locale) {
    this.locale = locale;
  }

  /** The text of `key` with its `{names}` filled in. */
  text(key, values = {}) {
    const template = MESSAGES[this.locale][key];
    if (template === undefined) throw new Error(`No text for ${key} in messages.js.`);
    return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  /** The text of `group.name`, or the name itself in plain words when the server knows more than this page. */
  term(group, name) {
    return MESSAGES[this.locale][`${group}.${name}`] ?? String(name).replaceAll("_", " ");
  }

  number(value, options = {}) {
    return new Intl.NumberFormat(this.locale, options).format(value);
  }

  /** `amount` is a decimal in text; it never passes through a float. */
  money({ amount, currency }) {
    return new Intl.NumberFormat(this.locale, { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(
      amount,
    );
  }
}
