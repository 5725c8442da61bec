// The tiles: each period's figures, how they compare with the period before, and a link to its list.
import * as format from "./format.js";

const SHOWN = {
  per_second: format.rate,
  volume: format.whole,
  average: format.whole,
  success_rate: format.percent,
  pending: format.whole,
};

// The moment of the figures on the page; null until there are some.
let shownAsOf = null;

export function showTiles(tiles, asOf, listUrl) {
  shownAsOf = asOf;
  tellMoment(`as of ${moment()}, up to which everything accepted is stored; beside each figure the period before`);
  for (const tile of tiles) {
    const place = document.querySelector(`[data-tile="${CSS.escape(tile.name)}"]`);
    for (const [name, shown] of Object.entries(SHOWN)) place.querySelector(`[data-figure="${name}"]`).textContent = shown(tile.now[name]);
    for (const change of place.querySelectorAll("[data-change]")) change.textContent = difference(tile, change.dataset.change);
    const oldest = tile.now.oldest_pending;
    place.querySelector('[data-figure="oldest_pending"]').textContent = oldest ? `oldest ${format.seconds((Date.parse(asOf) - Date.parse(oldest)) / 1000)}` : "";
    const query = new URLSearchParams({ from: tile.since, to: asOf });
    place.querySelector("a").href = `${listUrl}?${query}`;
  }
}

// Says why there are no newer figures, and of when those are that stay.
export function failTiles(why) { tellMoment(shownAsOf ? `${why} These are as of ${moment()}.` : why); }

function moment() { return `${format.clock(shownAsOf)} ${format.zoneName()}`; }

function tellMoment(text) { document.getElementById("tiles-moment").textContent = text; }

function difference({ now, before }, name) {
  const [is, was] = [now[name], before[name]].map((value) => (value === null ? null : Number(value)));
  if (is === null || was === null) return "(– before)";
  if (name === "success_rate") return `(${sign(100 * (is - was))} points)`;
  if (was === 0) return is === 0 ? "(as before)" : "(none before)";
  return `(${sign(100 * (is / was - 1))} %)`;
}

function sign(value) {
  const text = format.decimal(Math.abs(value), Math.abs(value) < 10 ? 1 : 0);
  if (text === "0") return "±0";
  return `${value > 0 ? "▲ +" : "▼ −"}${text}`;
}
