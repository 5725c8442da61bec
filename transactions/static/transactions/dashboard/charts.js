// What each chart draws. Lines differ by their dashes and bars by their names, not by colour alone.
import * as format from "./format.js";
import { ChartCard, colour } from "./chart_card.js";

const COLOURS = { PENDING: colour("info"), SUCCESS: colour("good"), FAILED: colour("bad"), before: colour("was"), bars: colour("bar"), line: colour("accent") };
const DASHES = { PENDING: [2, 2], SUCCESS: [], FAILED: [6, 2] };
const AWAY = "Cannot be told now: PostgreSQL does not answer in time.";
const title = (text) => ({ display: true, text });
const line = (label, data, colour, dash) => ({
  label, data, borderColor: colour, backgroundColor: colour, borderDash: dash, borderWidth: 2, pointRadius: 0, pointStyle: "line",
});
// A day alone between days without transactions is a point.
const points = (set) => ({ ...set, pointRadius: 3, pointStyle: "circle" });

// A mark on the axis for each minute that has some.
const marks = (label, counts) => ({
  label, data: counts.map((count) => (count ? 0 : null)), showLine: false, pointStyle: "triangle", pointRadius: 7, pointHoverRadius: 8,
  backgroundColor: COLOURS.FAILED, borderColor: COLOURS.FAILED,
});

export const throughput = new ChartCard("throughput", ({ minutes, by_status, before, alerts }) => ({
  type: "line",
  data: {
    labels: minutes.map(format.minute),
    datasets: [
      ...Object.entries(by_status).map(([name, counts]) => line(format.word(name), counts, COLOURS[name], DASHES[name])),
      line("total of the 30 minutes before", before, COLOURS.before, [8, 6]),
      ...(alerts.some(Boolean) ? [marks("alerts opened", alerts)] : []),
    ],
  },
  options: { scales: { x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 } }, y: { beginAtZero: true, ticks: { precision: 0 }, title: title("a minute") } } },
}));

// `opened` has the moments at which alerts were opened lately.
export function showThroughput(data, opened = []) {
  if (!data) return throughput.fail(AWAY);
  const minute = (moment) => Math.floor(Date.parse(moment) / 60_000);
  const counts = new Map();
  for (const moment of opened) counts.set(minute(moment), (counts.get(minute(moment)) ?? 0) + 1);
  const alerts = data.minutes.map((at) => counts.get(minute(at)) ?? 0);
  const some = alerts.some(Boolean);
  const names = Object.keys(data.by_status);
  const rows = data.minutes.map((at, k) => [format.minute(at), ...names.map((name) => data.by_status[name][k]), data.before[k], ...(some ? [alerts[k]] : [])]);
  const head = [`Minute (${format.zoneName()})`, ...names.map(format.word), "30 minutes before, in all", ...(some ? ["Alerts opened"] : [])];
  throughput.show({ ...data, alerts }, head, rows, "");
}

export const averages = new ChartCard("averages", ({ days, now, before }) => ({
  type: "line",
  data: { labels: days, datasets: [points(line("average", now, COLOURS.line, [])), points(line("as many days before", before, COLOURS.before, [8, 6]))] },
  options: { scales: { x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 } }, y: { beginAtZero: true, title: title("amount") } } },
}));

export function showAverages(body) {
  const days = Array.from({ length: body.days }, (_, k) => shifted(body.from, k));
  const at = (data, shift) => {
    const held = new Map(data.map((day) => [shift ? shifted(day.day, shift) : day.day, day]));
    return days.map((day) => held.get(day) ?? null);
  };
  const now = at(body.data, 0), before = at(body.before, body.days);
  const number = (day) => (day ? day.average : null);
  const rows = days.map((day, k) => [day, now[k], before[k]]).filter((row) => row[1] || row[2])
    .map(([day, is, was]) => [day, is ? format.decimal(is.average, 2) : "", is ? is.count : "", is ? is.total : "", was ? format.decimal(was.average, 2) : ""]);
  averages.show(
    { days, now: now.map(number), before: before.map(number) },
    [`Day (${body.timezone})`, "Average", "Count", "Total", "Average as many days before"],
    rows, "There are no transactions on these days.",
  );
}

function shifted(day, by) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}

// A bar for what is, and beside it an outline for what was.
const bars = (label, horizontal) => ({ labels, now, before }) => ({
  type: "bar",
  data: { labels, datasets: [
    { label, data: now, backgroundColor: COLOURS.bars, borderColor: COLOURS.bars, borderWidth: 1, pointStyle: "rect" },
    { label: "before", data: before, backgroundColor: "transparent", borderColor: COLOURS.before, borderWidth: 1, pointStyle: "rect" },
  ] },
  options: { indexAxis: horizontal ? "y" : "x", scales: {
    x: { beginAtZero: true, ticks: horizontal ? { precision: 0, maxRotation: 0 } : { maxRotation: 0 }, title: title(horizontal ? label : "amount, and up") },
    y: { beginAtZero: true, ticks: horizontal ? {} : { precision: 0 }, title: horizontal ? { display: false } : title(label) },
  } },
});
const amounts = new ChartCard("amounts", bars("transactions", false));
const volume = new ChartCard("volume", bars("volume", true));
const failures = new ChartCard("failures", bars("failed", true));

export function showSample(body) {
  if (!body) {
    for (const card of [amounts, volume, failures]) card.fail(AWAY);
    return;
  }
  for (const card of [amounts, volume, failures]) card.note(sampled(body));
  const range = ({ digits }) => (digits === 0 ? "0" : `${format.whole(10n ** BigInt(digits - 1))} – ${format.whole(10n ** BigInt(digits) - 1n)}`);
  // On the axis as short as they can be, so that they stand side by side.
  const brief = ({ digits }) => (digits === 0 ? "0" : `${format.brief(10 ** (digits - 1))}`);
  amounts.show(
    { labels: body.amounts.map(brief), now: body.amounts.map((each) => each.count), before: body.amounts.map((each) => each.before) },
    ["Amount", "Transactions", "Before"], body.amounts.map((each) => [range(each), each.count, each.before]), "Nothing of the last 24 hours is stored.",
  );
  users(volume, body.by_volume, "Volume", "Nothing of the last 24 hours is stored.");
  users(failures, body.by_failed, "Failed", "None of the latest failed.");
}

function sampled({ rows, rows_before, since }) {
  if (!rows) return "";
  const moment = `${format.moment(since)} ${format.zoneName()}`;
  return `Of the latest ${format.whole(rows)} stored transactions, since ${moment}; before: ${format.whole(rows_before)} of as long a time before.`;
}

function users(card, found, head, empty) {
  const name = (user) => format.visible(user.name ?? "(deleted)");
  card.show(
    { labels: found.map((user) => clipped(name(user))), now: found.map((user) => Number(user.value)), before: found.map((user) => Number(user.before)) },
    ["User", head, "Transactions", `${head} before`], found.map((user) => [`${name(user)} (${user.user})`, user.value, user.count, user.before]), empty,
  );
}

function clipped(name) { return name.length > 16 ? `${name.slice(0, 15)}…` : name; }
