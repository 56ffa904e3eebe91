import { cover } from "./cover.js";
import { h, icon } from "./dom.js";
import { safeUrl } from "./safe-url.js";

/** One product beside the answer. Every fact is the store's own. */
export function productCard(card, translator) {
  const url = safeUrl(card.url);
  const [[name, lang], other] = titles(card, translator.locale);
  const title = url
    ? h("a", { class: "card-title", lang, href: url, target: "_blank", rel: "noopener noreferrer" }, name)
    : h("span", { class: "card-title", lang }, name);
  return h(
    "li",
    { class: "card", "data-asin": card.asin },
    cover({ ...card, genres: card.genres ?? [] }),
    h(
      "div",
      { class: "card-facts" },
      h("h3", {}, title, volume(card, translator)),
      other && h("p", { class: "card-other-title", lang: other[1] }, other[0]),
      card.creators?.length > 0 &&
        h("p", { class: "card-creators" }, hidden(`${translator.text("card.by")} `), card.creators.join(", ")),
      rating(card.rating, translator),
      price(card, translator),
      stock(card.in_stock, translator),
      recommended(card.recommended, translator),
    ),
  );
}

/** The titles with their languages, the one of the page's language first. */
function titles({ title, title_ja: japanese }, locale) {
  const known = [[title, "en"]];
  if (japanese && japanese !== title) known.push([japanese, "ja"]);
  return locale === "ja" ? known.reverse() : known;
}

const hidden = (text) => h("span", { class: "visually-hidden" }, text);

function volume({ volume: number, title }, translator) {
  // Most titles of the catalogue say it already: "Uzumaki, Vol. 1".
  if (number === null || number === undefined || title.endsWith(` ${number}`)) return null;
  return [" ", h("span", { class: "card-volume" }, translator.text("card.volume", { volume: number }))];
}

/** Nothing is said about a price or a stock that the store could not tell. */
function price({ price: now, list_price: before }, translator) {
  if (!now) return h("p", { class: "card-price card-unknown" }, translator.text("card.priceUnknown"));
  const reduced = before && before.amount !== now.amount;
  return h(
    "p",
    { class: "card-price" },
    hidden(`${translator.text("card.price")} `),
    h("strong", {}, translator.money(now)),
    reduced && [" ", h("s", {}, hidden(`${translator.text("card.listPrice")} `), translator.money(before))],
  );
}

function stock(inStock, translator) {
  if (inStock === null || inStock === undefined) return null;
  return h(
    "p",
    { class: "card-stock", "data-in-stock": String(inStock) },
    translator.text(inStock ? "card.inStock" : "card.soldOut"),
  );
}

const REASONS = new Map([
  ["similar", "card.similar"],
  ["for_you", "card.forYou"],
  ["popular", "card.popular"],
]);

/** Why a card is here that the question alone did not find. A reason that this page does not know is not shown. */
function recommended(reason, translator) {
  const key = REASONS.get(reason);
  return key && h("p", { class: "card-recommended" }, translator.text(key));
}

function rating(value, translator) {
  if (!value) return null;
  const average = translator.number(value.average, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const count = translator.number(value.count);
  return h(
    "p",
    { class: "card-rating" },
    icon("M12 3.6l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.8l5.9-.8z"),
    h("span", { "aria-hidden": "true" }, `${average} (${count})`),
    hidden(translator.text("card.rating", { average, count })),
  );
}
