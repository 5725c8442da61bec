// Wires the dashboard together: the feed, the figures, and the places where they are shown.
import { Feed } from "./feed.js";
import { Strip } from "./strip.js";
import { LiveTable } from "./live.js";
import { Drawer } from "./drawer.js";
import { Names } from "./names.js";
import { bindFilters, rememberOne } from "./filters.js";
import { once, poll } from "./figures.js";
import { CAUGHT_UP_MS, failAlerts, showAlerts } from "./alerts.js";
import { failTiles, showTiles } from "./tiles.js";
import * as charts from "./charts.js";
import * as format from "./format.js";

const at = (id) => document.getElementById(id);
const urls = { ...at("dashboard").dataset };
// The averages change slowly: with every so many of the other figures.
const POLLS_PER_AVERAGES = 12;
const last = { polls: 0 };

const query = new URLSearchParams(location.search);
if (!format.setZone(query.get("timezone") || Intl.DateTimeFormat().resolvedOptions().timeZone)) format.setZone("UTC");

const strip = new Strip();
const names = new Names(urls.names, () => table.named());
const drawer = new Drawer(urls, () => table.back());
const table = new LiveTable({ card: at("live"), open: (id) => drawer.open(id), nameOf: (key) => names.of(key) });

// --- The feed
const feed = new Feed(urls.feed, urls.start);
bindFilters(at("filters"), at("filter-error"), (name) => names.keyOf(name), (matches, wanted) => {
  at("as-list").href = `${urls.transactions}?${new URLSearchParams(wanted)}`;
  table.filter(matches, Object.keys(wanted).length > 0);
  feed.filter(wanted);
});
let stored = null;
const listen = (name, heard) => feed.addEventListener(name, (event) => heard(event.detail));
listen("state", (state) => strip.feed(state));
listen("hello", (hello) => strip.numbers(hello.accepted, hello.stored));
listen("history", ({ records }) => {
  table.begin(records);
  // Which of these still wait, the server's figures tell: the oldest shown is long stored as a rule.
  strip.numbers(feed.seq, stored);
});
listen("run", (run) => {
  table.add(run);
  strip.numbers(feed.seq, stored, run.records[0]?.accepted_at ?? strip.now());
});
listen("stored", ({ seq }) => {
  stored = seq;
  table.stored(seq);
  strip.numbers(Math.max(feed.seq, seq), seq);
});
listen("reset", () => table.clear());
feed.connect();

// --- The figures
function showFigures() {
  if (!last.figures) return;
  const { tiles, throughput, sample } = last.figures;
  if (tiles) showTiles(tiles.data, tiles.as_of, urls.transactions);
  else failTiles("PostgreSQL does not answer in time.");
  charts.showThroughput(throughput?.data, last.opened);
  charts.showSample(sample?.data);
}
poll(urls.figures, (body) => {
  last.figures = body;
  strip.tell(body.status);
  showFigures();
  last.polls += 1;
  if (last.polls % POLLS_PER_AVERAGES === 0) askAverages();
}, (why, body) => {
  strip.tell(null, why);
  failTiles(why);
  // No answer at all: then the websocket is as dead, whatever the browser believes of it.
  if (body === null) feed.restart();
});

// --- Alerts, for who may see them: by frames, and what no frame told is asked for
function tellAlerts(body) {
  if (!showAlerts(body)) return;
  last.opened = body.opened_lately;
  if (last.figures) charts.showThroughput(last.figures.throughput?.data, last.opened);
}
if (urls.alerts) {
  listen("alert", tellAlerts);
  let missed = 0;
  listen("hello", () => {
    clearTimeout(missed);
    missed = setTimeout(() => once(urls.alerts, tellAlerts, failAlerts), CAUGHT_UP_MS * (1 + Math.random()));
  });
  poll(urls.alerts, tellAlerts, failAlerts);
}

// --- The range of days
const range = at("range");
const rangeProblem = range.querySelector(".field-error");
for (const name of ["from", "to"]) range.elements[name].value = query.get(name) ?? "";
function askAverages() {
  const given = { from: range.elements.from.value, to: range.elements.to.value };
  at("range-zone").textContent = format.zoneName();
  for (const [name, value] of Object.entries(given)) rememberOne(name, value);
  once(`${urls.averages}?${new URLSearchParams({ ...given, timezone: format.zoneName() })}`, (body) => {
    rangeProblem.textContent = "";
    charts.showAverages(body);
  }, (why, body) => {
    const wrong = body && !body.detail ? Object.values(body).flat().join(" ") : why;
    rangeProblem.textContent = wrong;
    charts.averages.fail(wrong);
  });
}
range.addEventListener("change", askAverages);
range.addEventListener("submit", (event) => event.preventDefault());
askAverages();

// --- The time zone
at("zone").value = at("zone-shown").textContent = format.zoneName();
at("zone").addEventListener("change", () => {
  const known = format.setZone(at("zone").value.trim());
  at("zone").setAttribute("aria-invalid", !known);
  at("zone-error").textContent = known ? "" : "No such time zone.";
  if (!known) return;
  at("zone-shown").textContent = format.zoneName();
  rememberOne("timezone", format.zoneName());
  showFigures();
  table.redraw();
  askAverages();
});
