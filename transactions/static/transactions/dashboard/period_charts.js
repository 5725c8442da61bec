// The charts of the chosen period: what came, stretch by stretch, and which share of it failed.
import * as format from "./format.js";
import { ChartCard, colour } from "./chart_card.js";
import { listOf } from "./overview.js";

const AWAY = "Cannot be told now: PostgreSQL does not answer in time.";
const EMPTY = "There are no transactions";
const STRETCHES = {
  60: ["a minute", format.minute],
  900: ["a quarter of an hour", format.minute],
  3600: ["an hour", format.hour],
  21600: ["per 6 hours", format.day],
};
const [ink, quiet, bad, surface] = ["ink", "quiet", "bad", "surface"].map(colour);
const SMALL = "12px Inter, sans-serif";
// How near a click has to be to a mark, how high marks are, and how wide, in pixels.
const NEAR = 9, MARKS_HEIGHT = 18, MARK = 8;
// Of the rate that is told beside the last point.
const LABEL_WIDTH = 44;
const GRAVE_FIRST = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];

// What is on the charts: the answer, the starts in milliseconds, the marks, and the list's URL.
let shown = null;

// --- Where things are in time

const end = (place) => shown.data.series.starts[place + 1] ?? shown.data.until;
const listAt = (place, status = "") => listOf(shown.listUrl, shown.data.series.starts[place], end(place), { status });
const said = (place) => `${format.stretch(shown.data.series.starts[place])} – ${format.minute(end(place))}`;
const lengthOf = (place) => Date.parse(end(place)) - Date.parse(shown.data.series.starts[place]);
const isPart = (place) => lengthOf(place) < 1000 * shown.data.series.stretch_seconds;
const partOf = (place) => (place === 0 ? " (part of it)" : " (not over yet)");
const titleOf = ([{ dataIndex: place }]) => `${said(place)}${isPart(place) ? partOf(place) : ""}`;
const marksAt = (place) => shown.marks.filter((mark) => mark.place === place);

function placed(marks, starts, until) {
  return marks.map((mark) => ({ ...mark, ms: Date.parse(mark.at) }))
    .filter(({ ms }) => ms >= starts[0])
    .map((mark) => {
      const later = starts.findIndex((start) => start > mark.ms);
      const place = later === -1 ? starts.length - 1 : later - 1;
      const ends = starts[place + 1] ?? Math.max(Date.parse(until), mark.ms + 1);
      return { ...mark, place, part: Math.min((mark.ms - starts[place]) / (ends - starts[place]), 1) };
    });
}

function across(chart, { place, part }) {
  const scale = chart.scales.x, step = scale.getPixelForValue(1) - scale.getPixelForValue(0) || scale.width;
  return Math.min(scale.getPixelForValue(place) + (part - 0.5) * step, chart.chartArea.right);
}

// --- What is drawn beside the bars and lines

const alertMarks = {
  id: "alertMarks",
  afterDatasetsDraw(chart) {
    const { ctx, chartArea: { top, bottom } } = chart, height = top - MARKS_HEIGHT / 2, places = grouped(chart);
    ctx.save();
    ctx.strokeStyle = bad();
    ctx.setLineDash([2, 3]);
    ctx.textBaseline = "middle";
    for (const { x } of places) {
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
      ctx.beginPath();
      ctx.fillStyle = bad();
      ctx.arc(x, height, 6, 0, 2 * Math.PI);
      ctx.fill();
      ctx.fillStyle = surface();
      ctx.font = `600 ${SMALL}`;
      ctx.textAlign = "center";
      ctx.fillText("!", x, height + 1);
    }
    ctx.fillStyle = bad();
    ctx.font = SMALL;
    ctx.textAlign = "left";
    for (const [left, text] of labelled(chart, places)) ctx.fillText(text, left, height + 1);
    ctx.restore();
  },
  // Marks stand above the bars, where Chart.js tells nobody else of a click.
  afterEvent(chart, { event }) {
    if (event.y === null || event.y >= chart.chartArea.top) return;
    const group = grouped(chart).find(({ x }) => Math.abs(x - event.x) < NEAR);
    chart.canvas.style.cursor = group ? "pointer" : "";
    if (group && event.type === "click") location.assign(linkOf(group.marks));
  },
};

// Marks that would lie on one another are one, where the first of them is.
function grouped(chart) {
  const found = [];
  for (const mark of shown.marks.toSorted((one, other) => one.ms - other.ms)) {
    const x = across(chart, mark), last = found.at(-1);
    if (last && x - last.x < 2 * MARK + 2) last.marks.push(mark);
    else found.push({ x, marks: [mark] });
  }
  return found;
}

// What is said of a mark, as long as there is room, or shorter.
function textsOf([mark, ...more]) {
  if (more.length) return [`${more.length + 1} alerts`];
  return mark.id ? [`Alert ${mark.id} · ${format.visible(mark.rule)}`, `Alert ${mark.id}`] : [];
}

// Where labels of marks begin and what they say: the gravest first, each where it has room beside its mark.
function labelled({ ctx, chartArea: { left, right } }, places) {
  const taken = places.map(({ x }) => [x - MARK, x + MARK]), found = [];
  const grave = ({ marks }) => Math.min(...marks.map(({ severity }) => GRAVE_FIRST.indexOf(severity)));
  const free = (from, to) => from >= left && to <= right && taken.every(([start, end]) => to < start || end < from);
  ctx.font = SMALL;
  for (const { x, marks } of places.toSorted((one, other) => grave(one) - grave(other))) {
    const places = textsOf(marks).flatMap((text) => {
      const { width } = ctx.measureText(text);
      return [x + MARK + 2, x - MARK - 2 - width].map((from) => [from, from + width, text]);
    });
    const place = places.find(([from, to]) => free(from, to));
    if (!place) continue;
    found.push([place[0], place[2]]);
    taken.push(place);
  }
  return found;
}

const rateLabels = {
  id: "rateLabels",
  afterDatasetsDraw(chart) {
    const { ctx, scales: { x, y } } = chart, rates = shown.data.series.failure_rate, taken = [];
    ctx.save();
    ctx.textBaseline = "bottom";
    const own = rates.findLastIndex((rate, place) => rate !== null && !isBorrowed(place));
    const last = own === -1 ? rates.findLastIndex((rate) => rate !== null) : own;
    if (last !== -1) {
      ctx.font = `600 ${SMALL}`;
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      // Right of its own point, where no line goes on, or only one of next to nothing, which it covers.
      const from = x.getPixelForValue(last) + 6, height = y.getPixelForValue(rates[last]);
      const text = format.percent(rates[last]), { width } = ctx.measureText(text);
      ctx.fillStyle = surface();
      ctx.fillRect(from - 2, height - 8, width + 4, 16);
      ctx.fillStyle = ink();
      ctx.fillText(text, from, height);
      taken.push([from, from + width, height - 8, height + 8]);
      ctx.textBaseline = "bottom";
    }
    ctx.fillStyle = quiet();
    ctx.font = SMALL;
    ctx.textAlign = "left";
    const text = "usual at this time, last 7 days", place = roomAtBand(chart, ctx.measureText(text).width, taken);
    // Where there is none the legend alone tells.
    if (place) ctx.fillText(text, ...place);
    ctx.restore();
  },
};

// Where words stand right above the usual band, or right below it, clear of the lines and of what is `taken`.
function roomAtBand({ chartArea: { left, right, top, bottom }, scales: { x, y } }, width, taken) {
  const { usual, failure_rate: rates, failure_rate_before: before } = shown.data.series;
  const heightOf = (value) => (value === null ? null : y.getPixelForValue(value));
  const points = (values) => values.map((value, place) => [x.getPixelForValue(place), heightOf(value)]);
  const [high, low] = ["high", "low"].map((edge) => points(usual.map((each) => each?.[edge] ?? null)));
  const lines = [points(rates), points(before), high, low].map(pieces);
  for (const part of [0, 1, 0.5, 0.25, 0.75]) {
    const from = left + 4 + part * (right - left - width - 8), to = from + width;
    const within = (edge) => edge.filter(([at]) => at > from && at < to).map(([, height]) => height);
    const above = within(high), below = within(low);
    if (above.length === 0 || above.includes(null)) continue;
    for (const height of [Math.min(...above) - 2, Math.max(...below) + 16]) {
      const box = [from - 4, to + 4, height - 14, height];
      const isFree = [...lines.flat(), ...taken].every((piece) => apart(piece, box));
      if (isFree && box[2] > top && height < bottom - 1) return [from, height];
    }
  }
  return null;
}

// The boxes [left, right, top, bottom] in which the pieces of a line lie.
function pieces(line) {
  return line.flatMap(([at, height], place) => {
    const [next, there] = line[place + 1] ?? [at, null];
    if (height === null) return [];
    return there === null ? [[at, at, height, height]] : [[at, next, Math.min(height, there), Math.max(height, there)]];
  });
}

function apart(one, other) { return one[1] < other[0] || other[1] < one[0] || one[3] < other[2] || other[3] < one[2]; }

// --- The charts

const scales = (y) => ({
  x: { stacked: true, grid: { display: false }, ticks: { maxTicksLimit: 7, maxRotation: 0 } },
  y: { beginAtZero: true, ...y },
});
const options = (status, more) => ({
  interaction: { mode: "index", axis: "x", intersect: false },
  onClick: (event, _, chart) => open(event, chart, status),
  onHover: (event) => { event.native.target.style.cursor = "pointer"; },
  ...more,
});

function open(event, chart, status) {
  const [bar] = chart.getElementsAtEventForMode(event.native, "nearest", { intersect: true }, false);
  const last = shown.data.series.starts.length - 1;
  const place = Math.min(Math.max(Math.round(chart.scales.x.getValueForPixel(event.x)), 0), last);
  location.assign(listAt(place, status ?? chart.data.datasets[bar?.datasetIndex]?.status));
}

// The alert, or the queue of the days on which they were opened.
function linkOf(marks) {
  if (marks.length === 1 && marks[0].link) return marks[0].link;
  const [first, last] = [marks[0], marks.at(-1)].map(({ ms }) => ms);
  const asked = { from: format.dayOf(first), to: format.dayOf(last), sort: "newest" };
  return `${shown.queueUrl}?${new URLSearchParams(asked)}`;
}

// What is not over yet, or begins amid a stretch, is drawn fainter: it is lower by itself.
const faint = (tone) => ({ dataIndex }) => (isPart(dataIndex) ? `${colour(tone)()}73` : colour(tone)());
const bars = (label, data, tone, status) => ({
  type: "bar", label, data, status, stack: "all", order: 2,
  backgroundColor: faint(tone), barPercentage: 0.9, categoryPercentage: 0.95,
});
const dashed = (label, data) => ({
  type: "line", label, data, stack: "before", order: 1, pointRadius: 0, pointHoverRadius: 3,
  borderColor: colour("was"), backgroundColor: colour("was"), borderDash: [4, 4], borderWidth: 1.5,
});
const sayMark = (mark) => (mark.id ? `Alert ${mark.id}: ${format.visible(mark.rule)}` : "An alert was opened");
const sayMarks = ([{ dataIndex: place }]) => marksAt(place).slice(0, 5).map(sayMark);

const throughput = new ChartCard("throughput", ({ series, compared }) => ({
  type: "bar",
  plugins: [alertMarks],
  data: {
    labels: labels(series),
    datasets: [
      bars("succeeded", series.succeeded, "bar", "SUCCESS"),
      bars("pending", series.pending, "info", "PENDING"),
      bars("failed", series.failed, "bar-bad", "FAILED"),
      dashed(`all ${compared.words}`, series.before),
    ],
  },
  options: options(undefined, {
    layout: { padding: { top: MARKS_HEIGHT, right: MARK } },
    plugins: {
      legend: { display: false },
      tooltip: { callbacks: { title: titleOf, footer: sayMarks } },
    },
    scales: scales({ stacked: true, ticks: { precision: 0, maxTicksLimit: 6, callback: format.brief } }),
  }),
}));

// With few settled in a stretch its rate is that of those before it too.
const isBorrowed = (place) => shown.data.series.few_settled[place];
const isNone = (rate) => rate === null || rate === undefined;
const alone = (rates) => ({ dataIndex: place }) => (isNone(rates[place - 1]) && isNone(rates[place + 1]) ? 2 : 0);
const edge = (label, data, fill) => ({
  label, data, fill, band: true, order: 3, pointRadius: 0, pointHoverRadius: 0,
  borderWidth: 1, borderColor: colour("line-soft"), backgroundColor: colour("band"),
});
const failed = (rates) => ({
  label: "failed", data: rates, order: 0, pointRadius: alone(rates), pointHoverRadius: 4,
  borderColor: colour("bad"), backgroundColor: colour("bad"), borderWidth: 2,
  // Of next to nothing it is drawn fainter.
  segment: {
    borderColor: ({ p1DataIndex: place }) => (isBorrowed(place) ? `${colour("bad")()}73` : undefined),
    borderDash: ({ p1DataIndex: place }) => (isBorrowed(place) ? [2, 3] : undefined),
  },
});
const shares = { maxTicksLimit: 5, callback: (share) => `${format.decimal(100 * share, 1)} %` };

const failureRate = new ChartCard("failure-rate", ({ series, compared }) => ({
  type: "line",
  plugins: [rateLabels],
  data: {
    labels: labels(series),
    datasets: [
      edge("usual, from", series.usual.map((usual) => usual?.low ?? null), false),
      edge("usual, to", series.usual.map((usual) => usual?.high ?? null), "-1"),
      dashed(compared.words, series.failure_rate_before),
      failed(series.failure_rate),
    ],
  },
  options: options("FAILED", {
    layout: { padding: { top: MARKS_HEIGHT, right: LABEL_WIDTH } },
    plugins: {
      legend: { display: false },
      tooltip: {
        filter: (item) => !item.dataset.band,
        callbacks: {
          title: titleOf,
          label: (item) => ` ${item.dataset.label}: ${format.percent(item.raw)}`,
          footer: ([item]) => usually(shown.data.series.usual[item.dataIndex]),
        },
      },
    },
    scales: {
      ...scales({ suggestedMax: 0.1, ticks: shares }),
      x: { ...scales({}).x, stacked: false, offset: true },
    },
  }),
}));

function labels(series) { return series.starts.map(STRETCHES[series.stretch_seconds][1]); }

function usually(usual) {
  if (!usual) return "not known what is usual";
  return `usually ${format.decimal(100 * usual.low, 1)} – ${format.percent(usual.high)}`;
}

// `marks` are alerts that were opened: when (`at`) and, where it is known, which.
export function showCharts(overview, marks, { transactions: listUrl, queue: queueUrl }) {
  if (!overview) {
    throughput.fail(AWAY);
    failureRate.fail(AWAY);
    return;
  }
  const { series, since, until } = overview.data;
  const starts = series.starts.map((start) => Date.parse(start));
  shown = { data: overview.data, listUrl, queueUrl, marks: placed(marks, starts, until) };
  const { succeeded, failed: failures, pending, before } = series;
  const held = [succeeded, failures, pending, before].some((counts) => counts.some(Boolean));
  const places = held ? [...series.starts.keys()] : [];
  throughput.link(listOf(listUrl, since, until));
  failureRate.link(listOf(listUrl, since, until, { status: "FAILED" }));
  showThroughput(overview.data, places);
  showFailureRate(overview.data, places);
}

const firstCell = (place, status) => (
  { shown: format.stretch(shown.data.series.starts[place]), url: listAt(place, status) }
);

// `places` are those of the stretches that are in the table: none where there is nothing.
function showThroughput(data, places) {
  const { series, compared, words } = data;
  const keys = [["bar", "succeeded"], ["info", "pending"], ["bad", "failed"]];
  if (isPart(series.starts.length - 1)) keys.push(["part", "not over yet"]);
  if (series.before.some(Boolean)) keys.push(["dashed", compared.words]);
  throughput.title(`Transactions ${STRETCHES[series.stretch_seconds][0]}`);
  throughput.note(keys);
  const head = [`From (${format.zoneName()})`, "Succeeded", "Failed", "Pending", `All ${compared.words}`];
  const columns = [series.succeeded, series.failed, series.pending, series.before];
  if (shown.marks.length > 0) {
    head.push("Alerts opened");
    columns.push(series.starts.map((_, place) => marksAt(place).length));
  }
  const rows = places.map((place) => [firstCell(place), ...columns.map((column) => column[place])]);
  throughput.show(data, head, rows, `${EMPTY} ${words}.`);
}

function showFailureRate(data, places) {
  const { series, compared, words } = data;
  const keys = [["line", "failed, of the settled"], ["band", "usual"]];
  if (series.failure_rate.some((rate, place) => rate !== null && isBorrowed(place))) {
    keys.push(["borrowed", "few settled: with those before"]);
  }
  if (series.failure_rate_before.some((rate) => rate !== null)) keys.push(["dashed", compared.words]);
  failureRate.note(keys);
  const head = [`From (${format.zoneName()})`, "Failed", "Usually from", "to", `Failed ${compared.words}`];
  const [low, high] = ["low", "high"].map((edge) => series.usual.map((usual) => usual?.[edge] ?? null));
  const columns = [series.failure_rate, low, high, series.failure_rate_before];
  const share = (value) => (value === null ? { shown: "–", value: "" } : { shown: format.percent(value), value });
  const rows = places.map((place) => [firstCell(place, "FAILED"), ...columns.map((column) => share(column[place]))]);
  failureRate.show(data, head, rows, `${EMPTY} ${words}.`);
}
