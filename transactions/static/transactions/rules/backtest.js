// Watches a backtest until it has ended, then shows what came of it; and draws its alerts a day.
import { ChartCard, colour } from "../dashboard/chart_card.js";
import { poll } from "../looks/asking.js";

// The first wait, and the longest.
const POLL_S = 1, SLOWEST_S = 5;
const watched = document.getElementById("backtest");
const days = document.getElementById("days");

if ("underWay" in watched.dataset) poll(watched.dataset.progress, watch, () => {
  // The chip of the system says so.
}, { every: POLL_S, slowest: SLOWEST_S });
if (days) draw(JSON.parse(days.textContent));

function watch({ under_way: underWay, percent, label }) {
  if (!underWay) {
    // The page may take long to come, and asking meanwhile would reload it again and again.
    location.reload();
    return false;
  }
  document.getElementById("progress").value = percent;
  document.getElementById("percent").textContent = `${percent} %`;
  document.querySelector("#state .pill").textContent = label;
}

function draw({ days: rows, timezone }) {
  const card = new ChartCard("alerts-a-day", ({ labels, alerts }) => ({
    type: "bar",
    data: { labels, datasets: [{ label: "alerts", data: alerts, backgroundColor: colour("bar") }] },
    options: { plugins: { legend: { display: false } }, scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 }, title: { display: false } },
      y: { beginAtZero: true, ticks: { precision: 0 }, title: { display: false } } } },
  }));
  card.show(
    { labels: rows.map(({ day }) => day), alerts: rows.map(({ episodes }) => episodes) },
    [`Day (${timezone})`, "Alerts", "Hits"], rows.map(({ day, episodes, hits }) => [day, episodes, hits]), "No day.",
  );
}
