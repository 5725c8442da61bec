// One chart with its table, its empty state, and a CSV of exactly what is shown.
Object.assign(Chart.defaults.font, { family: "Inter, sans-serif", size: 12 });
// The nearest point tells itself, wherever the pointer is; a legend draws what it names as it is drawn.
Object.assign(Chart.defaults.interaction, { mode: "nearest", axis: "x", intersect: false });
Object.assign(Chart.defaults.plugins.legend, { align: "end" });
Chart.defaults.scale.ticks.autoSkipPadding = 12;
Object.assign(Chart.defaults.plugins.legend.labels, { usePointStyle: true, boxHeight: 7, boxWidth: 20 });

// A colour of tokens.css, in the theme of the moment: charts ask for it whenever they are drawn.
export const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const [quiet, line] = [colour("quiet"), colour("line")];

export class ChartCard {
  #card; #chart = null; #name; #rows = []; #head = []; #make;

  // `make` gives Chart.js its configuration from whatever `show` is called with.
  constructor(id, make) {
    this.#card = document.getElementById(id);
    this.#name = id;
    this.#make = make;
    this.#card.querySelector(".csv").addEventListener("click", () => this.#download());
    new MutationObserver(() => this.#paint()).observe(document.documentElement, { attributeFilter: ["class"] });
  }

  note(text) { this.#card.querySelector(".chart-note").textContent = text; }

  // `head` and `rows` are the table; `empty` is said where there is none.
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
    const { data, options, type } = this.#make(given);
    if (!this.#chart) {
      this.#chart = new Chart(this.#card.querySelector("canvas"), {
        type, data, options: { maintainAspectRatio: false, animation: false, ...options },
      });
    } else {
      this.#chart.data.labels = data.labels;
      data.datasets.forEach((set, place) => Object.assign((this.#chart.data.datasets[place] ??= {}), set));
      this.#chart.data.datasets.length = data.datasets.length;
    }
    this.#paint();
  }

  fail(text) {
    if (this.#rows.length === 0) this.#card.querySelector(".chart-empty").textContent = text;
  }

  #paint() {
    if (!this.#chart) return;
    for (const scale of Object.values(this.#chart.options.scales)) {
      scale.ticks.color = scale.title.color = quiet();
      scale.grid.color = line();
      scale.border.display = false;
    }
    this.#chart.options.plugins.legend.labels.color = quiet();
    this.#chart.update("none");
  }

  #table() {
    const line = (cells, tag) => {
      const row = document.createElement("tr");
      row.append(...cells.map((text) => {
        const cell = document.createElement(tag);
        if (tag === "th") cell.scope = "col";
        cell.textContent = text;
        return cell;
      }));
      return row;
    };
    this.#card.querySelector("thead").replaceChildren(line(this.#head, "th"));
    this.#card.querySelector("tbody").replaceChildren(...this.#rows.map((row) => line(row, "td")));
  }

  #download() {
    const text = [this.#head, ...this.#rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `${this.#name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

// What begins like a formula would be run by a spreadsheet.
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
