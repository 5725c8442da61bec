// The live table: what arrives, newest first, at most ROWS_MAX rows, drawn four times a second.
import { pill, wholeId } from "../looks/components.js";
import * as format from "./format.js";

const ROWS_MAX = 200;
// Records kept so that a filter shows something at once, before the server has looked further back.
const RECENT_MAX = 1_000;
const DRAW_MS = 250;
// Rows drawn in a second, once the first ROWS_MAX of a burst are out; the rest is counted.
const ROWS_A_SECOND = 60;
const PACE_MS = 1_000;

export class LiveTable {
  #box; #body; #empty; #pace; #button; #open;
  #matches = () => true; #filtered = false; #recent = []; #waiting = []; #missed = 0; #stored = 0;
  #paused = false; #scrolled = false; #allowance = ROWS_MAX; #drawn = 0; #arrived = 0; #matched = 0;

  constructor({ box, empty, pace, button, open }) {
    this.#box = box;
    this.#body = box.querySelector("tbody");
    this.#empty = empty;
    this.#pace = pace;
    this.#button = button;
    this.#open = open;
    button.addEventListener("click", () => this.#pause(!this.#held));
    box.addEventListener("scroll", () => this.#scroll(), { passive: true });
    this.#body.addEventListener("click", (event) => this.#click(event));
    setInterval(() => this.#draw(), DRAW_MS);
    setInterval(() => this.#tellPace(), PACE_MS);
  }

  // `count` records were accepted, of which `matched` pass the filter and `records` were sent; now, or
  // while the page was away (`missed`).
  add({ records, count, matched, missed }) {
    if (!missed) {
      this.#arrived += count;
      this.#matched += matched;
    }
    this.#recent.push(...records);
    this.#recent.splice(0, Math.max(0, this.#recent.length - RECENT_MAX));
    const wanted = records.filter(this.#matches);
    if (this.#held) this.#missed += matched;
    this.#waiting.push(...wanted);
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
    this.#waiting = this.#recent.filter(this.#matches).slice(-ROWS_MAX);
    this.#allowance = ROWS_MAX;
    this.#body.replaceChildren();
    this.#draw(true);
  }

  clear() {
    this.#stored = 0;
    this.begin([]);
  }

  // Shows these and no others, paused as well.
  begin(records) {
    this.#recent = records.slice(-RECENT_MAX);
    this.#missed = 0;
    this.#label();
    this.redraw();
  }

  stored(seq) {
    this.#stored = seq;
    for (const row of this.#body.rows) this.#mark(row);
  }

  get #held() { return this.#paused || this.#scrolled; }

  #pause(paused) {
    this.#paused = paused;
    if (!paused) {
      this.#scrolled = false;
      this.#box.scrollTop = 0;
    }
    this.#label();
    this.#draw();
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
    const why = this.#paused ? "Resume" : this.#scrolled ? "Paused by scrolling: resume" : "Pause";
    this.#button.textContent = this.#missed ? `${why} (${format.whole(this.#missed)} new)` : why;
    this.#button.toggleAttribute("data-held", this.#held);
  }

  #draw(anyway = false) {
    this.#allowance = Math.min(ROWS_MAX, this.#allowance + (ROWS_A_SECOND * DRAW_MS) / 1000);
    if (this.#held && !anyway) return;
    const rows = this.#waiting.splice(0).slice(-Math.floor(this.#allowance) || Infinity);
    this.#allowance -= rows.length;
    this.#drawn += rows.length;
    if (rows.length > 0) {
      this.#body.prepend(...rows.reverse().map((record) => this.#row(record)));
      while (this.#body.rows.length > ROWS_MAX) this.#body.lastElementChild.remove();
    }
    this.#empty.hidden = this.#body.rows.length > 0;
    if (!this.#empty.hidden) this.#empty.textContent = this.#filtered
      ? "Nothing that has just arrived passes the filter."
      : "Nothing has been accepted yet. A first transaction appears here the moment it is posted.";
  }

  #row(record) {
    const row = document.createElement("tr");
    row.record = record;
    const button = document.createElement("button");
    button.type = "button";
    button.append(wholeId(format.visible(record.transaction_id)));
    const cells = [format.time(record.accepted_at), button, record.user, format.whole(record.amount), pill(format.status(record.status), record.status), ""];
    row.append(...cells.map((content) => {
      const cell = document.createElement("td");
      cell.append(content);
      return cell;
    }));
    row.cells[3].className = "number";
    this.#mark(row);
    return row;
  }

  #mark(row) {
    const text = row.record.seq <= this.#stored ? "● stored" : "○ waiting";
    if (row.cells[5].textContent !== text) row.cells[5].textContent = text;
  }

  #click(event) {
    const row = event.target.closest("tr");
    if (row) this.#open(row.record.transaction_id);
  }

  #tellPace() {
    const arrived = this.#arrived, matched = this.#matched, drawn = this.#drawn;
    this.#arrived = this.#matched = this.#drawn = 0;
    const all = `${format.whole(matched)}/s`;
    const some = drawn < matched ? `showing ${drawn} of ${all}` : all;
    if (arrived === 0 || this.#held) this.#pace.textContent = "";
    else this.#pace.textContent = this.#filtered ? `${some} that pass the filter, of ${format.whole(arrived)}/s` : some;
  }
}
