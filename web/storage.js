/**
 * Web storage that never throws: private windows, blocked cookies and full quotas leave the page working, only
 * forgetful.
 */
export class GuardedStorage {
  #kind;
  #prefix;

  /** @param {"localStorage" | "sessionStorage"} kind @param {string} prefix */
  constructor(kind, prefix) {
    this.#kind = kind;
    this.#prefix = prefix;
  }

  /** The stored value, or null when there is none or it cannot be read. */
  get(key) {
    try {
      return JSON.parse(globalThis[this.#kind].getItem(this.#prefix + key));
    } catch {
      return null;
    }
  }

  set(key, value) {
    try {
      globalThis[this.#kind].setItem(this.#prefix + key, JSON.stringify(value));
    } catch {
      // Forgetting is the designed outcome.
    }
  }

  remove(key) {
    try {
      globalThis[this.#kind].removeItem(this.#prefix + key);
    } catch {
      // Nothing was stored where nothing can be removed.
    }
  }
}
