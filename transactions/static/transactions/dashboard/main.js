// Wires the dashboard together: the feed, the figures, and the places where they are shown.
import { Feed } from "./feed.js";
import { Strip } from "./strip.js";
import { LiveTable } from "./live.js";
import { Drawer } from "./drawer.js";
import { Names } from "./names.js";
import { bindFilters, rememberOne } from "./filters.js";
import { CAUGHT_UP_MS, failAlerts, showAlerts } from "./alerts.js";
import { bindChoices, failFigures, showFigures, showWrong } from "./overview.js";
import { showCharts } from "./period_charts.js";
import { failFailing, showFailing } from "./failing.js";
import { days, showDays } from "./days.js";
import * as format from "./format.js";
import { once, poll } from "../looks/asking.js";
import * as system from "../looks/system.js";
import { tellZone, zone } from "../looks/zone.js";

const at = (id) => document.getElementById(id);
const urls = { ...at("dashboard").dataset };
// The averages change slowly: with every so many of the other figures, and the next after a failure.
const POLLS_PER_AVERAGES = 12;
const AWAY = "PostgreSQL does not answer in time.";
// What comes of a store that is away.
const MEANWHILE = {
  postgres: "What is accepted waits in Redis meanwhile, and nothing stored can be read.",
  redis: "No transaction is accepted meanwhile, and none is stored.",
};
const last = { polls: 0, opened: [], rejected: 0, daysFailed: false };

const query = new URLSearchParams(location.search);
format.setZone(zone());

const strip = new Strip();
const names = new Names(urls.names, () => table.named());
const drawer = new Drawer(urls, () => table.back());
const table = new LiveTable({
  card: at("live"), open: (id) => drawer.open(id), nameOf: (key) => names.of(key), customers: urls.customers,
});

// --- The feed
const feed = new Feed(urls.feed, urls.start);
bindFilters(at("filters"), at("filter-error"), (name) => names.keyOf(name), (matches, wanted) => {
  at("as-list").href = `${urls.transactions}?${new URLSearchParams(wanted)}`;
  table.filter(matches, Object.keys(wanted).length > 0);
  feed.filter(wanted);
});
let stored = null;
const listen = (name, heard) => feed.addEventListener(name, (event) => heard(event.detail));
listen("state", (state) => {
  strip.feed(state);
  system.tellFeed(state.state, at("feed-state").textContent);
});
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
function show() {
  if (!last.figures) return;
  const { overview, wrong, failing, alert, untold = [] } = last.figures;
  // While nobody knows whether anything is wrong no rate is called better.
  if (overview) showFigures(overview, !wrong || wrong.data, urls.transactions);
  else failFigures(AWAY);
  if (wrong) showWrong(wrong.data, alert, urls.transactions, untold.includes("alert"));
  document.getElementById("wrong-untold").hidden = Boolean(wrong);
  if (failing && overview) showFailing(failing, overview.data, urls.transactions);
  else failFailing(AWAY);
  drawCharts();
}
// A frame says up to where all is stored, and not what was refused on the way: asked for once more of it was counted.
function askRefused(rejected) {
  if (rejected === null || rejected === last.rejected) return;
  once(urls.refused, ({ refused, rejected: counted }) => {
    // What is kept on the server may be of before: then the next poll asks again.
    last.rejected = counted;
    table.refused(refused);
  }, () => {
    // The next poll of the figures asks again.
  });
}
// Which alerts were opened the figures tell, and of the newest ones, at once, the frames.
function drawCharts() {
  const known = last.figures.opened ?? [], moments = new Set(known.map(({ at: moment }) => Date.parse(moment)));
  const newer = last.opened.filter((moment) => !moments.has(Date.parse(moment))).map((moment) => ({ at: moment }));
  showCharts(last.figures.overview, [...known, ...newer], urls);
}
const chosen = bindChoices(() => ask());
const ask = poll(() => `${urls.figures}?${chosen()}`, (body) => {
  last.figures = body;
  strip.tell(body.status);
  askRefused(body.status.books.rejected);
  system.refresh();
  show();
  last.polls += 1;
  if (last.daysFailed || last.polls % POLLS_PER_AVERAGES === 0) askAverages();
}, (why, { gone, status, body }) => {
  const silent = status === undefined, part = body?.part;
  if (silent) system.tellSilent(why);
  const said = part in MEANWHILE ? `${why} ${MEANWHILE[part]}` : why;
  strip.tell(null, said, silent ? system.SILENT : part ? system.adviceOn(part) : "");
  system.refresh();
  failFigures(why);
  // Nobody is there: then the websocket is as dead, whatever the browser believes of it. Of a slow answer it is not.
  if (gone) feed.restart();
});
system.whenToneTurns(ask);

const asked = query.get("timezone");
if (asked && asked !== zone()) {
  at("choice-error").textContent += ` There is no time zone “${asked.slice(0, 40)}”: this page is in ${zone()}.`;
}

// --- Alerts, for who may see them: by frames, and what no frame told is asked for
function tellAlerts(body) {
  if (!showAlerts(body)) return;
  last.opened = body.opened_lately;
  if (last.figures) drawCharts();
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
// What somebody asked for; the fields have what is shown, which goes on with time where nothing was asked.
const askedDays = { from: query.get("from") ?? "", to: query.get("to") ?? "" };
for (const [name, day] of Object.entries(askedDays)) range.elements[name].value = day;
function askAverages() {
  for (const [name, day] of Object.entries(askedDays)) rememberOne(name, day);
  once(`${urls.averages}?${new URLSearchParams({ ...askedDays, timezone: format.zoneName() })}`, (body) => {
    rangeProblem.textContent = "";
    for (const name of ["from", "to"]) if (!askedDays[name]) range.elements[name].value = body[name];
    last.days = body;
    last.daysFailed = false;
    drawDays();
  }, (why, { body }) => {
    last.daysFailed = !body || Boolean(body.detail);
    const wrong = body && !body.detail ? Object.values(body).flat().join(" ").replaceAll("`from`", "From") : why;
    rangeProblem.textContent = wrong;
    days.fail(wrong);
  });
}
function drawDays() {
  if (last.days) showDays(last.days, range.querySelector("[aria-pressed=true]").dataset.choice, urls.transactions);
}
range.addEventListener("change", ({ target }) => {
  askedDays[target.name] = target.value;
  askAverages();
});
range.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-choice]");
  if (!pressed) return;
  for (const button of range.querySelectorAll("[data-choice]")) button.ariaPressed = String(button === pressed);
  drawDays();
});
range.addEventListener("submit", (event) => event.preventDefault());
askAverages();

// --- The time zone
tellZone(format.zoneName());
document.addEventListener("zonechange", (event) => {
  event.preventDefault();
  format.setZone(event.detail);
  rememberOne("timezone", event.detail);
  system.refresh();
  show();
  table.redraw();
  askAverages();
});
