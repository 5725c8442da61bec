// The live table: what arrives, newest first, at most ROWS_MAX rows, drawn four times a second. A transaction is
// one row, which changes when it is settled. The table is one stop of the Tab key, with arrows inside.
import { buttonOf, change, rowOf, showKept, showName } from "./live_row.js";
import * as format from "./format.js";

const ROWS_MAX = 200;
// Records kept so that a filter shows something at once, before the server has looked further back.
const RECENT_MAX = 1_000;
const DRAW_MS = 250;
// Rows drawn in a second, once the first ROWS_MAX of a burst are out; the rest is counted.
const ROWS_A_SECOND = 60;
const PACE_MS = 1_000;
// How often somebody who is in the card and does not see it is told what came.
const SAID_MS = 15_000;
// How far each key goes from the row where one is.
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

export class LiveTable {
  #card; #box; #body; #empty; #pace; #button; #said; #open; #nameOf; #customers;
  #matches = () => true; #filtered = false; #recent = []; #waiting = []; #missed = 0; #stored = 0;
  #paused = false; #scrolled = false; #entered = false; #allowance = ROWS_MAX; #drawn = 0; #arrived = 0; #matched = 0;
  // The rows by the ids of their transactions; the row at which the Tab key stops; what was not said yet.
  #rows = new Map(); #stop = null; #unsaid = 0;
  // The latest records that the flush refused.
  #refused = new Set();

  // `open` is called with the id of a row that is chosen, `nameOf` with the key of a customer, whose page is among
  // `customers`.
  constructor({ card, open, nameOf, customers }) {
    const at = (id) => card.querySelector(`#${id}`);
    this.#card = card;
    this.#box = at("rows");
    this.#body = this.#box.querySelector("tbody");
    this.#empty = at("empty");
    this.#pace = at("pace");
    this.#button = at("pause");
    this.#said = at("live-said");
    this.#open = open;
    this.#nameOf = nameOf;
    this.#customers = customers;
    this.#button.addEventListener("click", () => this.#pause(!this.#held));
    this.#box.addEventListener("scroll", () => this.#scroll(), { passive: true });
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", (event) => this.#enter(event));
    this.#body.addEventListener("focusout", (event) => this.#leave(event));
    setInterval(() => this.#draw(), DRAW_MS);
    setInterval(() => this.#tellPace(), PACE_MS);
    setInterval(() => this.#say(), SAID_MS);
  }

  // `count` records were accepted, of which `matched` pass the filter and `records` were sent; now, or
  // while the page was away (`missed`).
  add({ records, count, matched, missed }) {
    for (const record of records) record.key = keyOf(record);
    if (!missed) {
      this.#arrived += count;
      this.#matched += matched;
    }
    this.#recent.push(...records);
    this.#recent.splice(0, Math.max(0, this.#recent.length - RECENT_MAX));
    const wanted = records.filter(this.#matches);
    const fresh = wanted.filter((record) => !this.#change(record));
    this.#drawn += wanted.length - fresh.length;
    this.#unsaid += matched;
    if (this.#held) this.#missed += matched - (wanted.length - fresh.length);
    this.#waiting.push(...fresh);
    this.#waiting.splice(0, Math.max(0, this.#waiting.length - ROWS_MAX));
    if (this.#held) this.#label();
  }

  filter(matches, filtered) {
    this.#matches = matches;
    this.#filtered = filtered;
    this.redraw();
  }

  // Draws every row anew: after another filter, or in another time zone.
  redraw() {
    this.#waiting = latestOfEach(this.#recent).filter(this.#matches).slice(-ROWS_MAX);
    this.#allowance = ROWS_MAX;
    this.#body.replaceChildren();
    this.#rows.clear();
    this.#draw(true);
  }

  clear() {
    this.#stored = 0;
    this.begin([]);
  }

  // Shows these and no others, paused as well.
  begin(records) {
    for (const record of records) record.key = keyOf(record);
    this.#recent = records.slice(-RECENT_MAX);
    this.#missed = 0;
    this.#label();
    this.redraw();
  }

  stored(seq) {
    this.#stored = seq;
    for (const row of this.#body.rows) this.#showKept(row);
  }

  // The latest that the flush refused, each {transaction_id, accepted_at}: a replay of one is another record.
  refused(records) {
    this.#refused = new Set(records.map(keyOf));
    for (const row of this.#body.rows) this.#showKept(row);
  }

  // Names of customers have come.
  named() { for (const row of this.#body.rows) showName(row, this.#nameOf); }

  // Back from what a row opened, where the row itself may be gone.
  back() {
    if (!this.#stop || this.#body.contains(document.activeElement)) return;
    buttonOf(this.#stop).focus({ preventScroll: true });
  }

  get #held() { return this.#paused || this.#scrolled || this.#entered; }

  #pause(paused) {
    this.#paused = paused;
    if (!paused) {
      this.#scrolled = this.#entered = false;
      this.#box.scrollTop = 0;
    }
    this.#label();
    this.#draw();
    this.#said.textContent = paused ? "Paused." : "Live again.";
  }

  #scroll() {
    const scrolled = this.#box.scrollTop > 4;
    if (scrolled !== this.#scrolled) {
      this.#scrolled = scrolled;
      this.#label();
    }
  }

  #label() {
    if (!this.#held) this.#missed = 0;
    const by = this.#entered ? "the keyboard" : "scrolling";
    const why = this.#paused ? "Resume" : this.#held ? `Paused by ${by}: resume` : "Pause";
    this.#button.textContent = this.#missed ? `${why} (${format.whole(this.#missed)} new)` : why;
    this.#button.toggleAttribute("data-held", this.#held);
  }

  // Whether the transaction has a row, which then says what has become of it.
  #change(record) {
    const row = this.#rows.get(record.transaction_id);
    if (!row) return false;
    change(row, record);
    this.#showKept(row);
    return true;
  }

  #showKept(row) { showKept(row, this.#stored, this.#refused.has(row.record.key)); }

  #draw(anyway = false) {
    this.#allowance = Math.min(ROWS_MAX, this.#allowance + (ROWS_A_SECOND * DRAW_MS) / 1000);
    if (this.#held && !anyway) return;
    const records = latestOfEach(this.#waiting.splice(0)).slice(-Math.floor(this.#allowance) || Infinity);
    this.#allowance -= records.length;
    this.#drawn += records.length;
    const fresh = records.filter((record) => !this.#change(record));
    if (fresh.length > 0) {
      this.#body.prepend(...fresh.reverse().map((record) => this.#row(record)));
      while (this.#body.rows.length > ROWS_MAX) {
        this.#rows.delete(this.#body.lastElementChild.record.transaction_id);
        this.#body.lastElementChild.remove();
      }
    }
    if (!this.#body.contains(document.activeElement)) this.#stopAt(this.#body.rows[0]);
    this.#empty.hidden = this.#body.rows.length > 0;
    if (!this.#empty.hidden) this.#empty.textContent = this.#filtered
      ? "Nothing that has just arrived passes the filter."
      : "Nothing has been accepted yet. A first transaction appears here the moment it is posted.";
  }

  #row(record) {
    const row = rowOf(record, this.#nameOf, this.#customers);
    this.#showKept(row);
    this.#rows.set(record.transaction_id, row);
    return row;
  }

  // --- By the keyboard: of all rows the Tab key stops at one.
  #stopAt(row) {
    if (row === this.#stop) return;
    if (this.#stop) buttonOf(this.#stop).tabIndex = -1;
    this.#stop = row ?? null;
    if (row) buttonOf(row).tabIndex = 0;
  }

  #key(event) {
    const step = STEPS[event.key], rows = [...this.#body.rows], place = rows.indexOf(event.target.closest("tr"));
    if (step === undefined || place < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#hold();
    buttonOf(rows[Math.min(Math.max(place + step, 0), rows.length - 1)]).focus();
  }

  // Rows stand still for who goes through them by keys.
  #hold() {
    if (this.#entered) return;
    this.#entered = true;
    this.#label();
    this.#said.textContent = "Paused while you are in the table.";
  }

  #enter(event) {
    this.#stopAt(event.target.closest("tr"));
    const from = event.relatedTarget;
    if (from && !from.closest("dialog") && event.target.matches(":focus-visible")) this.#hold();
  }

  // What a row opened lies above the table, which is not left by it; nor by the way to the button that resumes.
  #leave({ relatedTarget: to }) {
    const goesOn = this.#body.contains(to) || to === this.#button || !document.hasFocus();
    if (!this.#entered || goesOn || document.querySelector("dialog[open]")) return;
    this.#entered = false;
    this.#label();
  }

  #click(event) {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a")) return;
    buttonOf(row).focus({ preventScroll: true });
    this.#open(row.record.transaction_id);
  }

  #tellPace() {
    const arrived = this.#arrived, matched = this.#matched, drawn = Math.min(this.#drawn, matched);
    this.#arrived = this.#matched = this.#drawn = 0;
    const all = `${format.whole(matched)}/s`;
    const some = drawn < matched ? `showing ${drawn} of ${all}` : all;
    if (arrived === 0 || this.#held) this.#pace.textContent = "";
    else this.#pace.textContent = this.#filtered ? `${some} that pass the filter, of ${format.whole(arrived)}/s` : some;
  }

  // Rows are not read out as they come: how many came is, to who is in the card.
  #say() {
    const count = this.#unsaid;
    this.#unsaid = 0;
    if (this.#held || count === 0 || !this.#card.contains(document.activeElement)) return;
    this.#said.textContent = `${format.whole(count)} came in the last ${SAID_MS / 1000} seconds.`;
  }
}

// What tells a record from others, of the same transaction too.
function keyOf({ transaction_id: id, accepted_at: at }) { return `${at} ${id}`; }

// Of each transaction its latest record, at the place and the time of its first.
function latestOfEach(records) {
  const latest = new Map();
  for (const record of records) {
    const first = latest.get(record.transaction_id) ?? record;
    latest.set(record.transaction_id, { ...record, accepted_at: first.accepted_at });
  }
  return [...latest.values()];
}
