import { h } from "./dom.js";
import { safeUrl } from "./safe-url.js";

const BULLET = /^\s*[-*•・]\s+(.*)$/;
const NUMBERED = /^\s*(\d{1,3})[.)]\s+(.*)$/;
const INLINE = /\*\*(?<strong>[^*\n]+)\*\*|\[(?<index>\d{1,3})\]/g;

/**
 * Shows an answer: paragraphs, lists, **strong** and citations `[n]`. Only blocks that changed since the last call
 * are touched, so a streaming answer keeps the shopper's text selection.
 *
 * @param {HTMLElement} container
 * @param {string} text
 * @param {{index: number, title: string, url: string}[]} citations
 * @param {(citation: object) => string} label accessible name of a citation link
 */
export function renderText(container, text, citations = [], label = ({ title }) => title) {
  const links = new Map(citations.map((citation) => [citation.index, citation]));
  const blocks = blocksOf(text);
  blocks.forEach((block, position) => {
    const fingerprint = JSON.stringify([block, citations]);
    const present = container.children[position];
    if (present && fingerprints.get(present) === fingerprint) return;
    const fresh = element(block, links, label);
    fingerprints.set(fresh, fingerprint);
    if (present) present.replaceWith(fresh);
    else container.append(fresh);
  });
  while (container.children.length > blocks.length) container.lastElementChild.remove();
}

/** The answer as it is read out: without marks. */
export function plainText(text) {
  return text.replace(INLINE, (_, strong) => strong ?? "").replace(/[ \t]+([.,!?。、！？])/g, "$1");
}

const fingerprints = new WeakMap();

function blocksOf(text) {
  const blocks = [];
  let open = null;
  const add = (kind, line, start) => {
    if (open?.kind !== kind) blocks.push((open = { kind, start, lines: [] }));
    open.lines.push(line);
  };
  for (const line of text.split("\n")) {
    const bullet = BULLET.exec(line);
    const numbered = NUMBERED.exec(line);
    if (line.trim() === "") open = null;
    else if (bullet) add("ul", bullet[1]);
    else if (numbered) add("ol", numbered[2], Number(numbered[1]));
    else add("p", line);
  }
  return blocks;
}

function element({ kind, start, lines }, links, label) {
  if (kind === "p") {
    return h("p", {}, lines.flatMap((line, number) => [number > 0 && h("br"), ...inline(line, links, label)]));
  }
  return h(kind, { start: start > 1 && start }, lines.map((line) => h("li", {}, inline(line, links, label))));
}

function inline(line, links, label) {
  const nodes = [];
  let end = 0;
  for (const match of line.matchAll(INLINE)) {
    nodes.push(line.slice(end, match.index));
    end = match.index + match[0].length;
    const { strong, index } = match.groups;
    nodes.push(strong ? h("strong", {}, strong) : citation(match[0], links.get(Number(index)), label));
  }
  nodes.push(line.slice(end));
  return nodes;
}

function citation(mark, source, label) {
  const url = source && safeUrl(source.url);
  if (!url) return mark;
  return h(
    "a",
    {
      class: "citation",
      href: url,
      target: "_blank",
      rel: "noopener noreferrer",
      title: source.title,
      "aria-label": label(source),
    },
    mark,
  );
}
