// Draws the plot above the flush history: bars for records, a line for seconds.
const canvas = document.getElementById("flush-plot");
const flushes = JSON.parse(document.getElementById("flushes").textContent);
const times = flushes.map((flush) => flush.at.slice(11, 19));
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const chart = new Chart(canvas, {
  data: {
    labels: times,
    datasets: [
      { type: "line", label: "Seconds", data: flushes.map((f) => f.seconds), yAxisID: "seconds",
        borderColor: "#d97706", backgroundColor: "#d97706", pointRadius: 1, borderWidth: 2 },
      { type: "bar", label: "Records", data: flushes.map((f) => f.records), yAxisID: "records",
        backgroundColor: "#7c93c8" },
    ],
  },
  options: {
    maintainAspectRatio: false,
    animation: still ? false : { duration: 200 },
    scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 8, maxRotation: 0 }, title: { display: true, text: "reserved at (UTC)" } },
      records: { position: "left", beginAtZero: true, title: { display: true, text: "records" } },
      seconds: { position: "right", beginAtZero: true, grid: { display: false }, title: { display: true, text: "seconds" } },
    },
  },
});

function paint() {
  const style = getComputedStyle(document.body);
  Object.values(chart.options.scales).forEach((scale) => {
    scale.ticks.color = scale.title.color = style.color;
    scale.grid.color = "rgba(128, 128, 128, 0.2)";
  });
  chart.options.plugins.legend.labels.color = style.color;
  chart.update("none");
}
paint();
new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["class"] });
