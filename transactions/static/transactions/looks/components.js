// The components of figures that arrive later, as templatetags/components.py makes them on the server.
// Whatever comes from outside gets in as text, never as markup.
import { watch } from "./ids.js";

const TAIL = 6, TIMES_FROM = 900, SPARK_WIDTH = 88, SPARK_HEIGHT = 32;
const TONES = {
  SUCCESS: "good", FAILED: "bad", PENDING: "info", CRITICAL: "worst", HIGH: "bad", MEDIUM: "warn", LOW: "none",
  ACTIVE: "good", DONE: "good", ON: "good", SHADOW: "info", RUNNING: "info", WAITS: "info",
  SUBMITTED: "warn", QUEUED: "warn", OWES: "warn", FAILS: "bad", OFF: "bad",
};

export function made(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

// What tells a status without its colour.
const SIGNS = { PENDING: "◔", SUCCESS: "✓", FAILED: "✗" };

// A state by its word; `state` is one of TONES, or a tone itself.
export function pill(text, state = "") {
  const name = state.toUpperCase(), tone = TONES[name] ?? (Object.values(TONES).includes(state) ? state : "none");
  const drawn = made("span", `pill pill-${tone}`, text);
  if (SIGNS[name]) drawn.dataset.sign = SIGNS[name];
  return drawn;
}

// An id in one line, whose middle gives way; `link` may be a URL.
export function wholeId(text, link = "") {
  const id = made(link ? "a" : "span", "id"), cut = Math.max(text.length - TAIL, 0);
  if (link) id.href = link;
  id.title = text;
  id.append(made("span", "", text.slice(0, cut)), made("span", "", text.slice(cut)));
  watch(id);
  return id;
}

// How a figure changed, with the unit of that ("%", "points", "" where it is a count); null where nobody knows. `good`
// is "up" or "down", empty where neither is; `judged` false: the change is neither good nor bad, whatever `good` says;
// `against` says with what it is compared.
export function delta(change, unit, { good: better = "", against = "", judged = true } = {}) {
  const told = made("p", "delta delta-none");
  if (change === null) {
    told.textContent = against || "nothing to compare with";
    return told;
  }
  const digits = Math.abs(change) < 10 ? 1 : 0, many = times(change, unit);
  const amount = Math.abs(change).toLocaleString("en-US", { maximumFractionDigits: digits });
  const bold = made("b"), good = judged && !many ? better : "";
  if (amount === "0") bold.append(made("span", "", "= "), "the same");
  else {
    const up = change > 0, tone = up === (good === "up") ? "better" : "worse";
    if (good) told.className = `delta delta-${tone === "better" ? "good" : "bad"}`;
    const [sign, word] = up ? [good ? "▲" : "△", "up"] : [good ? "▼" : "▽", "down"];
    bold.append(made("span", "", `${sign} `), made("span", "sr-only", `${word} `));
    if (many) bold.append(many);
    else if (unit) bold.append(`${amount} ${unit}${good && ` ${tone}`}`);
    else bold.append(`${amount} ${up ? "more" : "fewer"}`);
  }
  bold.firstChild.ariaHidden = "true";
  told.append(bold, ` ${against}`);
  return told;
}

// What has become many times as much is said so: nobody reads thousands of per cent, nor praises them.
function times(change, unit) {
  if (unit !== "%" || change < TIMES_FROM) return "";
  return `×${(change / 100 + 1).toLocaleString("en-US", { maximumFractionDigits: 0 })}`;
}

// How a figure went, from left to right, between nothing and its most; null is where there is none.
export function spark(values, tone = "") {
  const most = Math.max(0, ...values.filter((value) => value !== null)) || 1;
  const step = SPARK_WIDTH / Math.max(values.length - 1, 1);
  const heightOf = (value) => SPARK_HEIGHT - 1 - ((SPARK_HEIGHT - 2) * Math.max(value, 0)) / most;
  const points = values
    .map((value, place) => (value === null ? "" : `${(place * step).toFixed(1)},${heightOf(value).toFixed(1)}`))
    .filter(Boolean);
  const drawn = svg("svg", {
    class: `spark${tone ? ` spark-${tone}` : ""}`, viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`,
    preserveAspectRatio: "none", "aria-hidden": "true",
  });
  if (points.length > 1) {
    const [first, last] = [points[0], points.at(-1)].map((point) => point.split(",")[0]);
    drawn.append(svg("path", { d: `M${first},${SPARK_HEIGHT} L${points.join(" L")} L${last},${SPARK_HEIGHT} Z` }));
  }
  drawn.append(svg("polyline", { points: points.join(" ") }));
  return drawn;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
