// Saves what a chart shows as a CSV file. Texts are guarded as `spreadsheets.py` guards them on the server.

// With one of these in front a spreadsheet takes a text for a formula and runs it; the last is a minus.
const FORMULA = "=+-@\u2212";
// Where a spreadsheet may begin a cell: much of Europe separates by semicolons, whatever we quote.
const CELL_ENDS = /([;\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\uff1b]+)/;
// Shows nothing: characters of such categories, letters and marks that are fillers; a quote may be taken off.
const UNSEEN = /^[\p{C}\p{M}\p{Z}"\u115f\u1160\u2800\u3164\uffa0]$/u;

// Saves rows of numbers and texts under a name.
export function save(name, rows) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(rows)], { type: "text/csv" }));
  link.download = `${name}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function csvOf(rows) {
  return rows.map((row) => `${row.map((value) => `"${cell(value).replaceAll('"', '""')}"`).join(",")}\r\n`).join("");
}

// A value as CSV has it before it is quoted: a text so that no spreadsheet runs it, nothing for null.
export function cell(value) {
  if (typeof value !== "string") return String(value ?? "");
  const [first, ...others] = value.split(CELL_ENDS);
  const guarded = first + others.map((part) => (calculates(part) ? `'${part}` : part)).join("");
  return guarded !== value || calculates(first) || /^'*[\t\r\n]/.test(value) ? `'${guarded}` : value;
}

// Whether the first character that is seen, in its plain form, begins a formula, be it a guarded one.
function calculates(part) {
  const seen = [...part.replace(/^'+/, "")].find((character) => !UNSEEN.test(character));
  return seen !== undefined && FORMULA.includes(seen.normalize("NFKC")[0]);
}
