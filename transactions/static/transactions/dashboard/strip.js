// The status strip: what the feed and the server's figures say of the pipeline, second by second.
import { say } from "../looks/news.js";
import * as system from "../looks/system.js";
import * as format from "./format.js";

const UNKNOWN = "? not known";
const at = (id) => document.getElementById(id);

export class Strip {
  #status = null; #skew = 0; #seq = null; #stored = null; #problem = ""; #advice = ""; #away = false;
  // Since when the oldest that waits does so, in milliseconds of the server's clock.
  #waitsSince = null;

  constructor() { setInterval(() => this.#tick(), 1_000); }

  feed({ state, since }) {
    // Of frames that no longer come nothing follows: the books go on telling what waits.
    if (state === "stale" || state === "ended") this.#seq = this.#stored = null;
    const place = at("feed-state");
    place.dataset.state = state === "ended" ? "stale" : state;
    say(place, {
      live: "● live",
      resuming: "◌ resuming …",
      stale: since ? `▲ stale since ${format.clock(since)}` : "▲ cannot connect",
      ended: "▲ logged out: load the page again",
    }[state]);
  }

  // The server's time, as far as it is known.
  now() { return new Date(Date.now() + this.#skew).toISOString(); }

  // The last numbers accepted and stored, and when the first of the records that just came was accepted.
  numbers(seq, stored, acceptedAt = null) {
    this.#seq = seq;
    this.#stored = stored;
    if (seq === stored) this.#waitsSince = null;
    else if (acceptedAt) this.#waitsSince ??= Date.parse(acceptedAt);
    this.#buffered();
  }

  // `status` is the server's; null with a problem, and where it stands what to do, when it cannot be had.
  tell(status, problem = "", advice = "") {
    this.#problem = problem;
    this.#advice = advice;
    this.#away = status === null;
    if (problem) this.#unknown();
    if (status) {
      this.#status = status;
      this.#skew = Date.parse(status.now) - Date.now();
      const waited = status.books.oldest_buffered_seconds;
      this.#waitsSince = waited === null ? null : Date.parse(status.now) - 1000 * waited;
      this.#books(status);
    }
    this.#tick();
  }

  #books({ books, rejected_open }) {
    // PostgreSQL alone knows how many rejected records are open.
    const unknown = rejected_open === null ? ["? PostgreSQL is away", "bad"] : ["… being read", "good"];
    const sign = { true: ["✓ balanced", "good"], false: ["✗ do not balance", "bad"], null: unknown };
    const [text, state] = sign[books.balanced];
    say(at("books"), text);
    at("books").dataset.state = state;
    const open = rejected_open === null ? "" : ` (${format.whole(rejected_open)} open)`;
    say(at("rejected"), `${format.whole(books.rejected)}${open}`);
  }

  // What was told last may have changed by now.
  #unknown() {
    for (const name of ["books", "next-flush"]) say(at(name), UNKNOWN);
    at("books").dataset.state = "bad";
  }

  #buffered() {
    const books = this.#status?.books, place = at("buffered");
    if (this.#seq !== null && this.#stored !== null) say(place, format.whole(Math.max(0, this.#seq - this.#stored)));
    else if (this.#away) say(place, UNKNOWN);
    else if (books) say(place, format.whole(books.buffered + (books.in_flight ?? 0)));
  }

  #tick() {
    if (!this.#status) return this.#banner([this.#problem], this.#advice);
    const { books, rejected_open, interval_seconds: interval } = this.#status;
    const here = Date.now() + this.#skew;
    const oldest = this.#waitsSince === null ? null : Math.max(0, (here - this.#waitsSince) / 1000);
    say(at("oldest"), oldest === null ? "nothing waits" : format.seconds(oldest));
    this.#buffered();
    // Without PostgreSQL nobody knows whether one has run.
    const next = rejected_open === null ? UNKNOWN : nextFlush(books.last_flush, interval, here);
    if (!this.#problem) say(at("next-flush"), next);
    // Who cannot be asked tells nothing of what waits.
    if (this.#problem) return this.#banner([this.#problem], this.#advice);
    const cause = oldest !== null && oldest > 2 * interval ? system.cause() : null;
    this.#banner([
      // Without its seconds, which the chip has: a screen reader says every change of an alert aloud.
      cause ? `Accepted transactions wait to be stored. ${cause.said}.` : "",
      books.balanced === false ? "The books do not balance." : "",
    ], cause?.link);
  }

  #banner(texts, link = "") {
    const text = texts.filter(Boolean).join(" ");
    const banner = at("banner"), advice = banner.querySelector("a");
    say(banner.querySelector("p"), text);
    banner.hidden = !text;
    advice.hidden = !link;
    say(advice, link ? "What to do" : "");
    if (link) advice.href = link;
  }
}

function nextFlush(last, interval, now) {
  if (!last) return "none has run";
  const since = (now - new Date(last)) / 1000;
  const left = interval - since;
  if (left >= -interval) return left > 0.5 ? `in ${Math.ceil(left)} s` : "now";
  return `overdue by ${format.seconds(-left)}`;
}
