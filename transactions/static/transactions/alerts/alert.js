// The user's amounts along time, those that made the alert marked by colour and by shape; and keys.
import * as format from "../dashboard/format.js";
import { ChartCard, colour } from "../dashboard/chart_card.js";

const COLOURS = { made: colour("bad"), other: colour("accent") };
const timeline = document.getElementById("timeline");
if (timeline) draw(JSON.parse(timeline.textContent));

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "c") document.getElementById("claim")?.click();
});

function draw({ points }) {
  format.setZone("UTC");
  const at = ({ at, amount }) => ({ x: Date.parse(at), y: amount });
  const set = (label, found, colour, pointStyle, radius) => ({
    label, data: found.map(at), backgroundColor: colour, borderColor: colour, pointStyle, pointRadius: radius, pointHoverRadius: radius + 1,
  });
  const moments = points.map(({ at }) => Date.parse(at));
  const first = Math.min(...moments), last = Math.max(...moments);
  const margin = Math.max(1000, (last - first) / 50);
  const card = new ChartCard("amounts", () => ({
    type: "scatter",
    data: { datasets: [
      set("made it", points.filter(({ made }) => made), COLOURS.made, "circle", 4),
      set("other transactions", points.filter(({ made }) => !made), COLOURS.other, "crossRot", 4),
    ] },
    options: {
      interaction: { mode: "nearest", axis: "xy", intersect: false },
      plugins: {
        legend: { labels: { boxHeight: 6, boxWidth: 8 } },
        tooltip: { callbacks: { label: ({ raw }) => `${format.moment(raw.x)}: ${format.whole(raw.y)}` } },
      },
      scales: {
        x: { type: "linear", min: first - margin, max: last + margin, grid: { display: false }, ticks: { maxTicksLimit: 7, maxRotation: 0, includeBounds: false, callback: day }, title: { display: false } },
        y: { beginAtZero: true, ticks: { maxTicksLimit: 5, callback: (value) => format.decimal(value, 0) }, title: { display: false } },
      },
    },
  }));
  card.show(
    points, ["Happened (UTC)", "Amount", "Status", "Made the alert"],
    points.map(({ at, amount, status, made }) => [format.moment(at), amount, status, made ? "yes" : "no"]), "No transaction of that time is stored.",
  );
}

function day(value) {
  return new Date(value).toLocaleString("en-GB", { timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}
