// One chart with its table, its empty state, and a CSV of exactly what is shown.
import { made } from "../looks/components.js";

Object.assign(Chart.defaults.font, { family: "Inter, sans-serif", size: 12 });
// The nearest point tells itself, wherever the pointer is; a legend draws what it names as it is drawn.
Object.assign(Chart.defaults.interaction, { mode: "nearest", axis: "x", intersect: false });
Object.assign(Chart.defaults.plugins.legend, { align: "end" });
Object.assign(Chart.defaults.plugins.legend.labels, { usePointStyle: true, boxHeight: 7, boxWidth: 20 });

// A colour of tokens.css, in the theme of the moment: charts ask for it whenever they are drawn.
export const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const scale = Chart.defaults.scale;
Object.assign(scale.ticks, { autoSkipPadding: 12, color: colour("quiet") });
scale.title.color = Chart.defaults.plugins.legend.labels.color = colour("quiet");
scale.grid.color = colour("line");
scale.border.display = false;

export class ChartCard {
  #card; #chart = null; #name; #rows = []; #head = []; #make;

  // `make` gives Chart.js its configuration from whatever `show` is called with.
  constructor(id, make) {
    this.#card = document.getElementById(id);
    this.#name = id;
    this.#make = make;
    this.#card.querySelector(".csv").addEventListener("click", () => this.#download());
    new MutationObserver(() => this.#chart?.update("none")).observe(document.documentElement, { attributeFilter: ["class"] });
  }

  // What is drawn how: each of `keys` is [how, what].
  note(keys) {
    this.#card.querySelector(".chart-note").replaceChildren(...keys.map(([how, what]) => made("span", `key key-${how}`, what)));
  }

  title(text) {
    this.#card.querySelector("h2").textContent = text;
    this.#card.querySelector("summary").ariaLabel = `${text}: more`;
    this.#card.querySelector(".chart-table").ariaLabel = `${text} as a table`;
    this.#card.querySelector("canvas").ariaLabel = `${text}; the same numbers are in the table that its menu shows.`;
  }

  // Where its menu leads.
  link(url) { this.#card.querySelector(".menu-body a").href = url; }

  // `head` and `rows` are the table, a cell a text or a link [text, url]; `empty` is said where there is none.
  show(given, head, rows, empty) {
    this.#head = head;
    this.#rows = rows;
    const gap = this.#card.querySelector(".chart-empty");
    for (const button of this.#card.querySelectorAll(".as-table")) button.disabled = rows.length === 0;
    gap.textContent = empty;
    gap.hidden = rows.length > 0;
    this.#card.querySelector("canvas").style.visibility = rows.length > 0 ? "visible" : "hidden";
    this.#card.querySelector(".csv").disabled = rows.length === 0;
    this.#table();
    const { data, options, type, plugins } = this.#make(given);
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
  }

  fail(text) {
    if (this.#rows.length === 0) this.#card.querySelector(".chart-empty").textContent = text;
  }

  #table() {
    const line = (cells, tag) => {
      const row = document.createElement("tr");
      row.append(...cells.map((text) => {
        const cell = document.createElement(tag);
        if (tag === "th") cell.scope = "col";
        if (Array.isArray(text)) {
          const link = made("a", "", text[0]);
          link.href = text[1];
          cell.append(link);
        } else cell.textContent = text;
        return cell;
      }));
      return row;
    };
    this.#card.querySelector("thead").replaceChildren(line(this.#head, "th"));
    this.#card.querySelector("tbody").replaceChildren(...this.#rows.map((row) => line(row, "td")));
  }

  #download() { save(this.#name, [this.#head, ...this.#rows]); }
}

// Saves rows as a CSV file.
export function save(name, rows) {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${name}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// What begins like a formula would be run by a spreadsheet.
function cell(given) {
  const value = Array.isArray(given) ? given[0] : given;
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
