// Watches a backtest until it has ended, then shows what came of it; and draws its alerts a day.
import { ChartCard, colour } from "../dashboard/chart_card.js";

const POLL_MS = 1000;
const watched = document.getElementById("backtest");
const days = document.getElementById("days");

if ("underWay" in watched.dataset) setTimeout(watch, POLL_MS);
if (days) draw(JSON.parse(days.textContent).days);

async function watch() {
  try {
    const response = await fetch(watched.dataset.progress);
    if (response.ok) {
      const { under_way: underWay, percent, label } = await response.json();
      if (!underWay) return location.reload();
      document.getElementById("progress").value = percent;
      document.getElementById("percent").textContent = `${percent} %`;
      document.querySelector("#state .pill").textContent = label;
    }
  } catch { /* The server is away: it is asked again. */ }
  setTimeout(watch, POLL_MS);
}

function draw(rows) {
  const card = new ChartCard("alerts-a-day", ({ labels, alerts }) => ({
    type: "bar",
    data: { labels, datasets: [{ label: "alerts", data: alerts, backgroundColor: colour("bar") }] },
    options: { plugins: { legend: { display: false } }, scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 }, title: { display: false } },
      y: { beginAtZero: true, ticks: { precision: 0 }, title: { display: false } } } },
  }));
  card.show(
    { labels: rows.map(({ day }) => day), alerts: rows.map(({ episodes }) => episodes) },
    ["Day (UTC)", "Alerts", "Hits"], rows.map(({ day, episodes, hits }) => [day, episodes, hits]), "No day.",
  );
}
