// Draws the plot above the flush history: bars for records, a line for seconds.
import { colour, font } from "./dashboard/chart_card.js";
import { zoneOfPage } from "./looks/zone.js";

const flushes = JSON.parse(document.getElementById("flushes").textContent);
const [bar, line, quiet, rule] = ["bar", "warn", "quiet", "line"].map(colour);
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zoneOfPage(), timeStyle: "medium" });
const axis = (position, text, grid) => ({
  position, beginAtZero: true, border: { display: false }, grid, ticks: { color: quiet, maxTicksLimit: 6 },
  title: { display: true, text, color: quiet },
});

// Numbers as on the rest of the page.
Chart.defaults.locale = "en";
await font;
const chart = new Chart(document.getElementById("flush-plot"), {
  data: {
    labels: flushes.map((flush) => clock.format(new Date(flush.at))),
    datasets: [
      {
        type: "line", label: "seconds", data: flushes.map((f) => f.seconds), yAxisID: "seconds",
        borderColor: line, backgroundColor: line, pointRadius: 1, pointStyle: "line", borderWidth: 2,
      },
      {
        type: "bar", label: "records", data: flushes.map((f) => f.records), yAxisID: "records",
        backgroundColor: bar, pointStyle: "rect",
      },
    ],
  },
  options: {
    maintainAspectRatio: false,
    animation: false,
    interaction: { mode: "index" },
    plugins: { legend: { labels: { color: quiet } } },
    scales: {
      x: {
        border: { display: false }, grid: { display: false },
        ticks: { color: quiet, maxTicksLimit: 8, maxRotation: 0 },
      },
      records: axis("left", "records", { color: rule }),
      seconds: axis("right", "seconds", { display: false }),
    },
  },
});
new MutationObserver(() => chart.update("none")).observe(document.documentElement, { attributeFilter: ["class"] });
