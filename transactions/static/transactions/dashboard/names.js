// The names of customers, whose keys alone are in the websocket's frames: asked for many at once, and remembered.
import { answerOf, once } from "../looks/asking.js";

const ASKED_MAX = 100;
const ASK_MS = 200;
const KEPT_MAX = 5_000;

export class Names {
  // By key; "" while it is asked for, null of who is not known.
  #known = new Map(); #wanted = new Set(); #timer = 0; #url; #told;

  // `told` is called whenever names have come.
  constructor(url, told) {
    this.#url = url;
    this.#told = told;
    document.addEventListener("visibilitychange", () => this.#askSoon());
  }

  // The name of the customer of that key: "" while it is asked for, null where there is none.
  of(key) {
    const known = this.#known.get(String(key));
    if (known === undefined) this.#want(String(key));
    return known === undefined ? "" : known;
  }

  // The key of the customer of that whole name, "" where there is none. Fails where the server does not tell.
  async keyOf(name) {
    const { names } = await answerOf(this.#urlOf({ name }));
    return Object.keys(names)[0] ?? "";
  }

  #want(key) {
    this.#known.set(key, "");
    this.#wanted.add(key);
    while (this.#known.size > KEPT_MAX) {
      const oldest = this.#known.keys().next().value;
      this.#known.delete(oldest);
      this.#wanted.delete(oldest);
    }
    this.#askSoon();
  }

  // A page in the background asks for nothing, and for all that it wants once somebody looks.
  #askSoon() {
    if (!document.hidden && this.#wanted.size > 0) this.#timer ||= setTimeout(() => this.#ask(), ASK_MS);
  }

  async #ask() {
    const keys = [...this.#wanted].slice(0, ASKED_MAX);
    for (const key of keys) this.#wanted.delete(key);
    try {
      await once(this.#urlOf({ users: keys.join(",") }), ({ names }) => {
        for (const key of keys) this.#known.set(key, names[key] ?? null);
        this.#told();
      }, () => {
        // Whoever is still there is asked for again when their next transaction comes.
        for (const key of keys) this.#known.delete(key);
      });
    } finally {
      this.#timer = 0;
      this.#askSoon();
    }
  }

  #urlOf(asked) { return `${this.#url}?${new URLSearchParams(asked)}`; }
}
