const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Strings become text nodes, so nothing that came over the wire is ever parsed as markup;
 * `on…` attributes are listeners, `true`, `false` and `null` switch an attribute on or off.
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, under the same rules as {@link h}. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A 24 by 24 line icon that assistive technology skips. */
export function icon(...paths) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    ...paths.map((d) => svg("path", { d })),
  );
}
