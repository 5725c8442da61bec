// The tiles: each period's figures, how they compare with the period before, and a link to its list.
import { delta } from "../looks/components.js";
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
    for (const change of place.querySelectorAll("[data-change]")) change.replaceChildren(difference(tile, change.dataset));
    const oldest = tile.now.oldest_pending;
    place.querySelector('[data-figure="oldest_pending"]').textContent = oldest ? `oldest ${format.seconds((Date.parse(asOf) - Date.parse(oldest)) / 1000)}` : "";
    const query = new URLSearchParams({ created_at__gte: tile.since, created_at__lt: asOf });
    place.querySelector("a").href = `${listUrl}?${query}`;
  }
}

// Says why there are no newer figures, and of when those are that stay.
export function failTiles(why) { tellMoment(shownAsOf ? `${why} These are as of ${moment()}.` : why); }

function moment() { return `${format.clock(shownAsOf)} ${format.zoneName()}`; }

function tellMoment(text) { document.getElementById("tiles-moment").textContent = text; }

// Beside the period before; more or less volume is neither good nor bad.
function difference({ now, before }, { change, good = "" }) {
  const [is, was] = [now[change], before[change]].map((value) => (value === null ? null : Number(value)));
  return delta(is, was, { good, points: change === "success_rate", against: !was ? "none before" : is === null ? "none now" : "" });
}
