// Day by day: what the days of a range hold, beside as many days before.
import * as format from "./format.js";
import { ChartCard, colour } from "./chart_card.js";

const NAMES = { total: "amount", count: "transactions", average: "average amount" };
// A day alone between days without transactions is a point.
const line = (label, data, tone, dash) => ({
  label, data, borderColor: colour(tone), backgroundColor: colour(tone), borderDash: dash,
  borderWidth: 2, pointRadius: 3, pointStyle: "circle",
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
    plugins: { legend: { display: false } },
    scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 } },
      y: {
        beginAtZero: true, ticks: { maxTicksLimit: 6, callback: format.brief },
        title: { display: true, text: NAMES[shown] },
      },
    },
  },
}));

// `shown` is one of NAMES: what the lines are of; the table has them all.
export function showDays(body, shown) {
  const labels = Array.from({ length: body.days }, (_, k) => shifted(body.from, k));
  const at = (data, shift) => {
    const held = new Map(data.map((day) => [shift ? shifted(day.day, shift) : day.day, day]));
    return labels.map((day) => held.get(day) ?? null);
  };
  const now = at(body.data, 0), before = at(body.before, body.days);
  const number = (day) => (day ? Number(day[shown]) : null);
  const today = labels.indexOf(format.dayOf(new Date()));
  const keys = [["total", NAMES[shown]]];
  if (now[today]) keys.push(["today", "today, not over yet"]);
  if (before.some(Boolean)) keys.push(["dashed", `in the ${format.whole(body.days)} days before`]);
  days.note(keys);
  const rows = labels.map((day, k) => [day, ...cellsOf(now[k]), ...cellsOf(before[k])])
    .filter((_, k) => now[k] || before[k]);
  days.show(
    { labels, now: now.map(number), before: before.map(number), shown, today },
    [`Day (${body.timezone})`, "Average", "Count", "Total", "Average as many days before", "Count then", "Total then"],
    rows, "There are no transactions on these days.",
  );
}

function cellsOf(day) {
  if (!day) return ["", "", ""];
  return [{ shown: format.decimal(day.average, 2), value: Number(day.average) }, day.count, day.total];
}

function shifted(day, by) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}
