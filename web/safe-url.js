const ALLOWED_SCHEMES = new Set(["http:", "https:"]);

/**
 * The absolute form of a link that came over the wire, or null when it is not an ordinary web address
 * (`javascript:`, `data:`, `file:` …).
 */
export function safeUrl(candidate) {
  if (typeof candidate !== "string") return null;
  try {
    const url = new URL(candidate, document.baseURI);
    return ALLOWED_SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
