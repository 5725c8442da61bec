// One chart with its table, its empty state, and a CSV of exactly what is shown.
import { made } from "../looks/components.js";
import { renew, say } from "../looks/news.js";
import { save } from "./csv.js";
import { CURRENCY, money, plainMoney, UNIT } from "./format.js";

// Numbers are written as on the rest of the page, whatever language the browser speaks.
Chart.defaults.locale = "en";
Object.assign(Chart.defaults.font, { family: "Inter, sans-serif", size: 12 });
// The nearest point tells itself, wherever the pointer is; a legend draws what it names as it is drawn.
Object.assign(Chart.defaults.interaction, { mode: "nearest", axis: "x", intersect: false });
Object.assign(Chart.defaults.plugins.legend, { align: "end" });
Object.assign(Chart.defaults.plugins.legend.labels, { usePointStyle: true, boxHeight: 7, boxWidth: 20 });

// A canvas is not drawn again once its font has come, and what was measured in another is kept: drawing waits for it.
const FONT_MS_MAX = 3_000;
export const font = Promise.race([
  Promise.allSettled(["400", "600"].map((weight) => document.fonts.load(`${weight} 12px Inter`))),
  new Promise((later) => setTimeout(later, FONT_MS_MAX)),
]);

// A colour of tokens.css, in the theme of the moment: charts ask for it whenever they are drawn.
export const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const scale = Chart.defaults.scale;
Object.assign(scale.ticks, { autoSkipPadding: 12, color: colour("quiet") });
scale.title.color = Chart.defaults.plugins.legend.labels.color = colour("quiet");
scale.grid.color = colour("line");
scale.border.display = false;

export class ChartCard {
  #card; #chart = null; #name; #rows = []; #head = []; #make; #given;

  // `make` gives Chart.js its configuration from whatever `show` is called with.
  constructor(id, make) {
    this.#card = document.getElementById(id);
    this.#name = id;
    this.#make = make;
    this.#card.querySelector(".csv").addEventListener("click", () => this.#download());
    const themes = new MutationObserver(() => this.#chart?.update("none"));
    themes.observe(document.documentElement, { attributeFilter: ["class"] });
  }

  // What is drawn how: each of `keys` is [how, what].
  note(keys) {
    renew(this.#card.querySelector(".chart-note"), keys.map(([how, what]) => made("span", `key key-${how}`, what)));
  }

  title(text) {
    say(this.#card.querySelector("h2"), text);
    this.#card.querySelector("summary").ariaLabel = `${text}: more`;
    this.#card.querySelector(".chart-table").ariaLabel = `${text} as a table`;
    this.#card.querySelector("canvas").ariaLabel = `${text}; the same numbers are in the table that its menu shows.`;
  }

  // Where its menu leads.
  link(url) { this.#card.querySelector(".menu-body a").href = url; }

  // `head` and `rows` are the table: a cell is a number or a text, or {shown, value, url} where it leads somewhere, or
  // is shown otherwise than its number is saved. Columns of numbers stand right. `empty` is said where there is no row.
  show(given, head, rows, empty) {
    this.#head = head;
    this.#rows = rows;
    const gap = this.#card.querySelector(".chart-empty");
    for (const button of this.#card.querySelectorAll(".as-table")) button.disabled = rows.length === 0;
    say(gap, empty);
    gap.hidden = rows.length > 0;
    this.#card.querySelector(".csv").disabled = rows.length === 0;
    this.#table();
    this.#given = given;
    font.then(() => this.#draw());
  }

  #draw() {
    const { data, options, type, plugins } = this.#make(this.#given);
    const whole = { maintainAspectRatio: false, animation: false, ...options };
    if (!this.#chart) {
      this.#chart = new Chart(this.#card.querySelector("canvas"), { type, data, options: whole, plugins });
    } else {
      this.#chart.options = whole;
      this.#chart.data.labels = data.labels;
      data.datasets.forEach((set, place) => Object.assign((this.#chart.data.datasets[place] ??= {}), set));
      this.#chart.data.datasets.length = data.datasets.length;
    }
    this.#chart.update("none");
    this.#card.querySelector("canvas").style.visibility = this.#rows.length > 0 ? "visible" : "hidden";
  }

  fail(text) {
    if (this.#rows.length === 0) say(this.#card.querySelector(".chart-empty"), text);
  }

  #table() {
    const numbers = this.#head.map((_, place) => this.#rows.some((row) => isNumber(row[place])));
    renew(this.#card.querySelector("thead"), [line(this.#head, "th", numbers)]);
    renew(this.#card.querySelector("tbody"), this.#rows.map((row) => line(row, "td", numbers)));
  }

  #download() { save(this.#name, [this.#head, ...this.#rows].map((row) => row.map(saved))); }
}

const saved = (given) => (typeof given === "object" && given !== null ? given.value ?? given.shown : given);

const isNumber = (given) => typeof given === "number" || (typeof given === "object" && given?.value !== undefined);

// An amount of the smallest unit as a cell of such a table, and the head of a column of these: in a file its currency
// stands there alone.
export function amount(smallest) { return { shown: money(smallest), value: plainMoney(smallest) }; }
export function amounts(name) {
  const value = `${name} (${UNIT})`;
  return { shown: CURRENCY ? name : value, value };
}

// What a tooltip says of a point: the dataset's own `values` as `written` writes them, which floats may not hold.
export function exactly(written) {
  return ({ dataset, dataIndex }) => ` ${dataset.label}: ${written(dataset.values[dataIndex])}`;
}

// A row of a table, which its first cell names; `numbers` says of each column whether it has such.
function line(cells, tag, numbers) {
  const row = made("tr");
  row.dataset.row = cells[0]?.shown ?? cells[0];
  row.append(...cells.map((given, place) => {
    const cell = made(tag), { shown = given, url } = given ?? {};
    if (tag === "th") cell.scope = "col";
    if (numbers[place]) cell.className = "number";
    if (url) cell.append(linkTo(url, shown));
    else cell.textContent = shown;
    return cell;
  }));
  return row;
}

function linkTo(url, text) {
  const link = made("a", "", text);
  link.href = url;
  return link;
}
