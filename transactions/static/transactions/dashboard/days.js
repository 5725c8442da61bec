// Day by day: what the days of a range hold, beside as many days before.
import * as format from "./format.js";
import { listOf } from "./overview.js";
import { amount, amounts, ChartCard, colour, exactly } from "./chart_card.js";

// What the lines are of; money is that of what succeeded: no sum is of several statuses.
const NAMES = { total: "succeeded amount", count: "transactions", average: "average of the succeeded" };
const VALUES = {
  total: (day) => day.succeeded.total, count: (day) => day.count, average: (day) => day.succeeded.average,
};
const isMoney = (shown) => shown !== "count";
const written = (shown) => (isMoney(shown) ? format.money : format.whole);
// A day alone between days without transactions is a point.
const line = (label, values, tone, dash) => ({
  label, values, data: values.map((value) => (value === null ? null : Number(value))),
  borderColor: colour(tone), backgroundColor: colour(tone), borderDash: dash, borderWidth: 2,
  pointRadius: 3, pointStyle: "circle",
});

// Today is not over: its point is hollow, and what leads to it is dotted.
const unfinished = (today, tone) => ({
  pointBackgroundColor: ({ dataIndex }) => colour(dataIndex === today ? "surface" : tone)(),
  pointBorderWidth: 2,
  segment: { borderDash: ({ p1DataIndex }) => (p1DataIndex === today ? [2, 3] : undefined) },
});

export const days = new ChartCard("averages", ({ labels, now, before, shown, today }) => ({
  type: "line",
  data: {
    labels,
    datasets: [
      { ...line(NAMES[shown], now, "accent", []), ...unfinished(today, "accent") },
      line("as many days before", before, "was", [8, 6]),
    ],
  },
  options: {
    plugins: { legend: { display: false }, tooltip: { callbacks: { label: exactly(written(shown)) } } },
    scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0, autoSkipPadding: 24 } },
      y: {
        beginAtZero: true, ticks: { maxTicksLimit: 6, callback: isMoney(shown) ? format.moneyBrief : format.brief },
        title: { display: true, text: isMoney(shown) ? `${NAMES[shown]} (${format.UNIT})` : NAMES[shown] },
      },
    },
  },
}));

// `shown` is one of NAMES: what the lines are of; the table has them all. Each day leads to its transactions.
export function showDays(body, shown, listUrl) {
  const labels = Array.from({ length: body.days }, (_, k) => shifted(body.from, k));
  days.link(listOf(listUrl, body.from, body.to));
  const at = (data, shift) => {
    const held = new Map(data.map((day) => [shift ? shifted(day.day, shift) : day.day, day]));
    return labels.map((day) => held.get(day) ?? null);
  };
  const now = at(body.data, 0), before = at(body.before, body.days);
  const value = (day) => (day ? VALUES[shown](day) : null);
  const today = labels.indexOf(format.dayOf(new Date()));
  const keys = [["total", `${NAMES[shown]}, ${labels[0]} to ${labels.at(-1)}`]];
  if (now[today]) keys.push(["today", "today, not over yet"]);
  if (before.some(Boolean)) keys.push(["dashed", `in the ${format.whole(body.days)} days before`]);
  days.note(keys);
  const linked = (day) => ({ shown: day, url: listOf(listUrl, day, day) });
  const rows = labels.map((day, k) => [linked(day), ...cellsOf(now[k]), ...cellsOf(before[k])])
    .filter((_, k) => now[k] || before[k]);
  days.show(
    { labels, now: now.map(value), before: before.map(value), shown, today },
    [`Day (${body.timezone})`, ...head(), ...head(" as many days before", " then")], rows,
    "There are no transactions on these days.",
  );
}

function head(count = "", each = "") {
  const sums = ["Succeeded", "Average of the succeeded", "Failed", "Pending"];
  return [`Transactions${count}`, ...sums.map((name) => amounts(`${name}${each}`))];
}

function cellsOf(day) {
  if (!day) return ["", "", "", "", ""];
  const { count, succeeded, failed, pending } = day;
  return [count, ...[succeeded.total, succeeded.average, failed.total, pending.total].map(amount)];
}

function shifted(day, by) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}
