import { h, svg } from "./dom.js";
import { COVER_STYLES, DEFAULT_COVER_STYLE } from "./genres.js";

const WIDTH = 120;
const HEIGHT = 180;

/**
 * A drawn cover for a product without a picture: its genre's paper, ink and motif, its title, its volume. The same
 * series always gets the same drawing. Decoration only; the card beside it says everything in text.
 */
export function cover({ series_id: seriesId, title, title_ja: titleJa, genres, volume }) {
  const genre = genres.find((name) => Object.hasOwn(COVER_STYLES, name));
  const { paper, ink, motif } = genre ? COVER_STYLES[genre] : DEFAULT_COVER_STYLE;
  const random = randomFrom(seriesId + title);
  const element = h(
    "div",
    { class: "cover", "aria-hidden": "true" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "xMidYMid slice", focusable: "false" },
      svg("rect", { width: WIDTH, height: HEIGHT, fill: paper }),
      svg("g", { fill: "none", stroke: ink, "stroke-width": 1.5, "stroke-linecap": "round" }, MOTIFS[motif](random, ink)),
    ),
    titleJa && h("span", { class: "cover-title-ja", lang: "ja" }, titleJa),
    h("span", { class: "cover-band" }, h("span", { class: "cover-title" }, title), volume && h("b", {}, volume)),
  );
  element.style.setProperty("--cover-paper", paper);
  element.style.setProperty("--cover-ink", ink);
  return element;
}

/** A small repeatable generator (mulberry32) seeded by FNV-1a of `text`; gives numbers in [0, 1). */
function randomFrom(text) {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const range = (count) => Array.from({ length: count }, (_, index) => index);
const circle = (cx, cy, r, attributes = {}) => svg("circle", { cx, cy, r, ...attributes });
const path = (d, attributes = {}) => svg("path", { d, ...attributes });

const MOTIFS = {
  spiral(random) {
    const [cx, cy] = [46 + random() * 28, 62 + random() * 24];
    const turns = 5.5 + random() * 2;
    const points = range(220).map((step) => {
      const angle = (step / 220) * turns * 2 * Math.PI;
      const radius = 1 + angle * 2.1;
      return `${(cx + radius * Math.cos(angle)).toFixed(1)} ${(cy + radius * Math.sin(angle)).toFixed(1)}`;
    });
    return [path(`M${points.join("L")}`, { "stroke-width": 3.2 })];
  },

  speed(random) {
    const [cx, cy] = [40 + random() * 40, 60 + random() * 30];
    return range(64).map((line) => {
      const angle = (line / 64) * 2 * Math.PI + random() * 0.06;
      const [inner, outer] = [26 + random() * 22, 190];
      const edge = 0.012 + random() * 0.016;
      const at = (radius, turn) => `${cx + radius * Math.cos(turn)} ${cy + radius * Math.sin(turn)}`;
      return path(`M${at(inner, angle)}L${at(outer, angle - edge)}L${at(outer, angle + edge)}Z`, {
        fill: "currentColor",
        stroke: "none",
        class: "ink-fill",
      });
    });
  },

  petals(random) {
    return range(15).map(() => {
      const [x, y, size, turn] = [random() * WIDTH, random() * HEIGHT, 5 + random() * 11, random() * 360];
      return path(`M0 0C${size} ${-size} ${size * 1.6} ${size * 0.3} 0 ${size * 1.6}C${-size * 1.6} ${size * 0.3} ${-size} ${-size} 0 0Z`, {
        transform: `translate(${x} ${y}) rotate(${turn})`,
        class: "ink-fill",
        stroke: "none",
        opacity: 0.25 + random() * 0.6,
      });
    });
  },

  waves(random) {
    const radius = 15 + random() * 5;
    return range(14).flatMap((row) =>
      range(7).flatMap((column) => {
        const cx = column * radius * 2 + (row % 2) * radius - radius;
        const cy = HEIGHT + radius - (13 - row) * radius * 0.75 - 20;
        if (cy < 40 + random() * 20) return [];
        return [1, 0.66, 0.33].map((part) =>
          circle(cx, cy, radius * part, part === 1 ? { fill: "var(--cover-paper)" } : {}),
        );
      }),
    );
  },

  stars(random) {
    const moon = 20 + random() * 12;
    return [
      circle(84 - random() * 40, 46 + random() * 14, moon, { class: "ink-fill", stroke: "none", opacity: 0.9 }),
      ...range(26).map(() => {
        const [x, y, size] = [random() * WIDTH, random() * HEIGHT, 1.5 + random() * 4];
        return path(`M${x} ${y - size}L${x} ${y + size}M${x - size} ${y}L${x + size} ${y}`, { "stroke-width": 1 });
      }),
      path(`M0 ${130 + random() * 10}L30 ${100 + random() * 20}L58 ${124}L92 ${96 + random() * 20}L120 ${128}L120 180L0 180Z`, {
        fill: "var(--cover-paper)",
        "stroke-width": 1.5,
      }),
    ];
  },

  orbits(random) {
    const [cx, cy] = [50 + random() * 20, 66 + random() * 16];
    const tilt = -40 + random() * 80;
    return [
      circle(cx, cy, 15, { class: "ink-fill", stroke: "none" }),
      ...[26, 40, 56, 76].map((rx, index) =>
        svg("ellipse", { cx, cy, rx, ry: rx * 0.42, transform: `rotate(${tilt + index * 7} ${cx} ${cy})` }),
      ),
      ...range(22).map(() => circle(random() * WIDTH, random() * HEIGHT, 0.4 + random(), { class: "ink-fill" })),
    ];
  },

  slats(random) {
    const lit = Math.floor(4 + random() * 5);
    return range(18).map((row) =>
      path(`M-5 ${row * 11 + random() * 3}L125 ${row * 11 - 9}`, { "stroke-width": row === lit ? 8 : 1.2, opacity: row === lit ? 1 : 0.7 }),
    );
  },

  steam(random) {
    const bowl = 112;
    return [
      path(`M22 ${bowl}H98C98 ${bowl + 34} 78 ${bowl + 44} 60 ${bowl + 44}S22 ${bowl + 34} 22 ${bowl}Z`, {
        class: "ink-fill",
        stroke: "none",
      }),
      ...[36, 52, 68, 84].map((x) => {
        const top = 22 + random() * 26;
        return path(`M${x} ${bowl - 8}C${x - 12} ${bowl - 30} ${x + 14} ${bowl - 48} ${x} ${top}`, { "stroke-width": 3 });
      }),
    ];
  },

  leaves(random) {
    const size = 22 + random() * 5;
    return range(10).flatMap((row) =>
      range(7).flatMap((column) => {
        const [x, y] = [column * size + (row % 2) * (size / 2), row * size * 0.87];
        return range(6).map((spoke) => {
          const angle = (spoke * Math.PI) / 3 + Math.PI / 6;
          const reach = size * 0.577;
          return path(`M${x} ${y}L${(x + reach * Math.cos(angle)).toFixed(1)} ${(y + reach * Math.sin(angle)).toFixed(1)}`, { opacity: 0.75 });
        });
      }),
    );
  },

  burst(random) {
    const [cx, cy] = [54 + random() * 12, 70 + random() * 12];
    const spikes = 13 + Math.floor(random() * 5);
    const points = range(spikes * 2).map((corner) => {
      const angle = (corner / (spikes * 2)) * 2 * Math.PI;
      const radius = corner % 2 ? 34 : 52 + random() * 12;
      return `${(cx + radius * Math.cos(angle)).toFixed(1)} ${(cy + radius * Math.sin(angle)).toFixed(1)}`;
    });
    return [
      ...range(70).map((dot) => circle((dot % 7) * 20 + 6, Math.floor(dot / 7) * 20 + 6, 2.2, { class: "ink-fill", stroke: "none", opacity: 0.35 })),
      path(`M${points.join("L")}Z`, { class: "ink-fill", stroke: "none" }),
    ];
  },

  rain(random) {
    return range(60).map(() => {
      const [x, y, length] = [random() * 150 - 10, random() * 190 - 20, 10 + random() * 26];
      return path(`M${x} ${y}l${-length * 0.22} ${length}`, { opacity: 0.3 + random() * 0.6 });
    });
  },
};
