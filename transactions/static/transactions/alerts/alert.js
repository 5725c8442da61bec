// The user's amounts along time, those that made the alert marked by colour and by shape; and keys.
import { zoneOfPage } from "../looks/zone.js";
import * as format from "../dashboard/format.js";
import { amount as shownAmount, amounts as named, ChartCard, colour } from "../dashboard/chart_card.js";

const COLOURS = { made: colour("bad"), other: colour("accent"), window: colour("window"), edge: colour("window-edge") };
// Amounts that lie further apart than this are shown by their digits, or the small ones lie on the axis.
const APART = 50;
// What the amounts beside the chart take of its width.
const AXIS_PX = 60, LABEL_PX = 88, DIGITS_MAX = 5;
// The time axis has no less than the shortest window of a rule, or without one a minute, and room beside what is on it.
const LEAST_MS = 600_000, LEAST_ALONE_MS = 60_000, MARGIN = 1 / 50;
// What its ticks are apart, in minutes: full seconds, minutes, hours, days.
const DAY = 1440, HOUR_MS = 3_600_000;
const STEPS = [
  1 / 12, 1 / 6, 1 / 4, 1 / 2,
  1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, ...[1, 2, 7, 14, 28, 91, 182, 364].map((days) => days * DAY),
];
// So far beyond the amounts their axis goes, as a factor; further where it is one of digits.
const ROOM = 1.1, ROOM_BY_DIGITS = 2;
// Of a cross, which a line of one pixel would hide on the window's tone.
const LINE_PX = 1.5;
// A window of minutes in a week is still seen: it takes this part of the width at least.
const WINDOW_LEAST = 1 / 90;
const timeline = document.getElementById("timeline");
if (timeline) draw(JSON.parse(timeline.textContent));

// --- Keys: the queue has left its rows and where it was.
const QUEUE = "alertsQueue";
const { rows = [], at: queue = null } = JSON.parse(sessionStorage.getItem(QUEUE) ?? "{}");
const back = document.getElementById("queue");
const dialog = document.getElementById("keys");
if (queue) back.href = queue;

function go(step) {
  const here = rows.indexOf(location.pathname);
  if (here >= 0 && rows[here + step]) location.assign(rows[here + step]);
}

const KEYS = {
  c: () => document.getElementById("claim")?.click(),
  j: () => go(1),
  k: () => go(-1),
  u: () => back.click(),
  "?": () => dialog.showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.getElementById("keys-button").addEventListener("click", () => dialog.showModal());

// --- What is being written is kept for the page that follows when another button is pressed.
const WRITTEN = `alertsWritten ${location.pathname}`;
for (const [id, text] of Object.entries(JSON.parse(sessionStorage.getItem(WRITTEN) ?? "{}"))) {
  const box = document.getElementById(id);
  if (box && !box.value) box.value = text;
}
sessionStorage.removeItem(WRITTEN);
document.addEventListener("submit", ({ target }) => {
  const boxes = [...document.querySelectorAll("textarea[id]")];
  const others = boxes.filter((box) => box.form !== target && box.value.trim());
  sessionStorage.setItem(WRITTEN, JSON.stringify(Object.fromEntries(others.map((box) => [box.id, box.value]))));
});

function draw({ points, window: span }) {
  format.setZone(zoneOfPage());
  // Texts, since floats do not hold the largest; for the height of a point they are near enough.
  const amounts = points.map(({ amount }) => Number(amount));
  const most = Math.max(...amounts, 1), least = Math.max(1, Math.min(...amounts));
  const byDigits = most / least > APART;
  const top = byDigits ? 10 ** Math.ceil(Math.log10(most * ROOM_BY_DIGITS)) : evenly(most * ROOM);
  // Nothing has no digits.
  const at = ({ at, amount }) => (
    { x: Date.parse(at), y: byDigits ? Math.max(1, Number(amount)) : Number(amount), amount }
  );
  const set = (label, found, colour, pointStyle, radius) => ({
    // One of 0 stands on the axis, and is drawn whole.
    label, data: found.map(at), clip: radius + 1, backgroundColor: colour, borderColor: colour,
    pointStyle, pointBorderWidth: LINE_PX, pointRadius: radius, pointHoverRadius: radius + 1,
  });
  const [min, max] = ends(points, span);
  const card = new ChartCard("amounts", () => ({
    type: "scatter",
    data: { datasets: [
      set("made it", points.filter(({ made }) => made), COLOURS.made, "circle", 4),
      set("other transactions", points.filter(({ made }) => !made), COLOURS.other, "crossRot", 4),
      ...(span ? [shade(span, min, max, byDigits ? least / ROOM_BY_DIGITS : 0, top)] : []),
    ] },
    options: {
      interaction: { mode: "nearest", axis: "xy", intersect: false },
      plugins: {
        legend: { labels: { boxHeight: 6, boxWidth: 8 } },
        tooltip: {
          filter: ({ raw }) => raw.amount !== undefined,
          callbacks: { label: ({ raw }) => `${format.moment(raw.x)}: ${format.money(raw.amount)}` },
        },
      },
      scales: {
        x: {
          type: "linear", min, max, grid: { display: false }, title: { display: false },
          afterBuildTicks: spread, ticks: { autoSkip: false, maxRotation: 0, callback: label },
        },
        y: {
          type: byDigits ? "logarithmic" : "linear", beginAtZero: !byDigits, max: top,
          title: { display: true, text: `amount (${format.UNIT})` },
          ...(byDigits ? { min: least / ROOM_BY_DIGITS, afterBuildTicks: powersOfTen } : {}),
          ticks: { maxTicksLimit: 5, precision: 0, callback: (value) => format.moneyBrief(value) },
        },
      },
    },
  }));
  card.show(
    points, ["Transaction", "Happened", named("Amount"), "Status", "Made the alert"],
    points.map(({ id, at, amount, status, made }) => (
      [id, format.moment(at), shownAmount(amount), status, made ? "yes" : "no"]
    )),
    "No transaction of that time is stored.",
  );
}

// Of the time axis: all points and the whole window are on it.
function ends(points, span) {
  const moments = [...points.map(({ at }) => at), ...(span ? [span.from, span.to] : [])].map(Date.parse);
  const first = Math.min(...moments), last = Math.max(...moments);
  // Without a window all there is are the points, which stand in the middle.
  const missing = Math.max(0, (span ? LEAST_MS : LEAST_ALONE_MS) - (last - first)), after = span ? 0 : missing / 2;
  const margin = (last - first + missing) * MARGIN;
  return [first - missing + after - margin, last + after + margin];
}

// The window of the rule, up to the latest hit, behind the points; a line stands where it begins, and where it ends.
function shade(span, min, max, bottom, top) {
  const to = Math.min(max, Date.parse(span.to));
  const from = Math.max(min, Math.min(Date.parse(span.from), to - (max - min) * WINDOW_LEAST));
  return {
    label: "window of the latest hit", type: "line", fill: "start", order: 1,
    data: [
      ...(from > min ? [{ x: from, y: bottom }] : []), { x: from, y: top }, { x: to, y: top }, { x: to, y: bottom },
    ],
    backgroundColor: COLOURS.window, borderColor: COLOURS.edge, borderWidth: 1,
    pointRadius: 0, pointHitRadius: 0, pointStyle: "rect",
  };
}

// The next end of an axis that its ticks reach: 1, 2, 4 or 8 with noughts.
function evenly(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 4, 8, 10].find((digit) => digit * power >= least) * power;
}

// Ticks at full minutes, hours or days of the page's zone, as many as have room.
function spread(axis) {
  const room = Math.max(3, Math.floor((axis.chart.width - AXIS_PX) / LABEL_PX));
  const steps = STEPS.map((minutes) => minutes * 60_000);
  const step = steps.find((each) => (axis.max - axis.min) / each <= room) ?? steps.at(-1);
  axis.ticks = [];
  const begins = ahead(axis.min);
  for (let shown = Math.ceil((axis.min + begins) / step) * step; axis.ticks.length < 2 * room; shown += step) {
    // Hours and days are full after a change of the clocks too.
    const value = shown - (step > HOUR_MS ? ahead(shown - begins) : begins);
    if (value > axis.max) break;
    axis.ticks.push({ value });
  }
}

// By how much the clock of the page's zone is ahead of UTC at a moment, in milliseconds.
function ahead(moment) {
  return Date.parse(`${format.moment(moment).replace(" ", "T")}Z`) - Math.floor(moment / 1000) * 1000;
}

// Those that have room: all of nineteen digits would stand on each other.
function powersOfTen(axis) {
  const powers = axis.ticks.filter(({ value }) => Number.isInteger(Math.log10(value)));
  const step = Math.ceil(powers.length / DIGITS_MAX);
  // The topmost stays, so that all points are below a line.
  axis.ticks = powers.filter((_, place) => (powers.length - 1 - place) % step === 0);
}

// The time of day, to the second where ticks are closer than minutes, with the day where there are several; of ticks
// that are days apart the day alone.
function label(value, place, ticks) {
  const step = ticks.length > 1 ? ticks[1].value - ticks[0].value : 0;
  const days = step > DAY * 45_000, several = format.dayOf(this.min) !== format.dayOf(this.max);
  const time = step < 60_000 ? format.clock : format.minute;
  return [...(days || several ? [format.day(value)] : []), ...(days ? [] : [time(value)])].join(", ");
}
