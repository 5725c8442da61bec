// The queue by keys and in bulk, and a hint at what is new. Without JavaScript the rows open by their links.
import { poll } from "../looks/asking.js";
import { choose } from "../looks/chosen.js";
import { showBadge } from "../looks/badge.js";

const rows = [...document.querySelectorAll("tr[data-alert]")];
const form = document.getElementById("many");
const all = document.getElementById("all");
const keys = document.getElementById("keys");
const boxes = rows.map((row) => row.querySelector("input[name=alert]")).filter(Boolean);
// What was chosen when the page was asked for anew.
const CHOSEN = "alertsChosen";
const before = JSON.parse(sessionStorage.getItem(CHOSEN) ?? "[]");
sessionStorage.removeItem(CHOSEN);
for (const box of boxes) if (before.includes(box.closest("tr").dataset.alert)) choose(box, true);
// What the page of an alert goes through by keys, and goes back to.
sessionStorage.setItem("alertsQueue", JSON.stringify({
  at: location.pathname + location.search, rows: rows.map((row) => new URL(row.querySelector(".what a").href).pathname),
}));
const TITLE = document.title;
let here = -1;

const chosen = () => boxes.filter((box) => box.checked);

// Says in the head of their column whether all are chosen.
function count() {
  const some = chosen().length;
  if (all) {
    all.checked = some > 0 && some === boxes.length;
    all.indeterminate = some > 0 && some < boxes.length;
  }
}

function go(step) {
  here = Math.min(Math.max(here + step, 0), rows.length - 1);
  rows[here]?.querySelector("a").focus();
}

// The row that has the focus: a key that is typed beside them does nothing to the one that was looked at last.
const row = () => boxes[rows.findIndex((each) => each.contains(document.activeElement))];

// Claims all that are chosen, or the row that has the focus; what was done is said, with its undo.
function claim() {
  if (!form) return;
  if (chosen().length === 0) {
    if (!row()) return;
    choose(row(), true);
  }
  form.requestSubmit(form.querySelector("[value=claim]"));
}

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  x: () => row() && choose(row()),
  c: claim,
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
rows.forEach((row, place) => row.addEventListener("focusin", () => { here = place; }));
boxes.forEach((box) => box.addEventListener("change", count));
all?.addEventListener("change", () => {
  const wanted = all.checked;
  boxes.forEach((box) => choose(box, wanted));
});
document.getElementById("keys-button").addEventListener("click", () => keys.showModal());
count();

// Alerts that were opened since the page was made: nothing moves under the hands of who reads, so they are
// shown when that is asked for.
const hint = document.getElementById("new-alerts");
// How many were opened at a moment: those of one flush have it in common.
const opened = new Map();
hint.querySelector("a").addEventListener("click", () => {
  sessionStorage.setItem(CHOSEN, JSON.stringify(chosen().map((box) => box.closest("tr").dataset.alert)));
});
// The dashboard asks less often: frames tell it what is new.
const AGAIN_S = 5;
poll(hint.dataset.alerts, (body) => {
  showBadge(body.open);
  const lately = new Map();
  for (const moment of body.opened_lately) {
    if (Date.parse(moment) > Date.parse(hint.dataset.asOf)) lately.set(moment, (lately.get(moment) ?? 0) + 1);
  }
  // What the answer has no room for any more was counted before.
  lately.forEach((many, moment) => opened.set(moment, Math.max(many, opened.get(moment) ?? 0)));
  const fresh = [...opened.values()].reduce((sum, many) => sum + many, 0);
  if (fresh === 0) return;
  hint.querySelector("span").textContent = `${fresh.toLocaleString("en")} new alert${fresh === 1 ? "" : "s"}`;
  hint.hidden = false;
  document.title = `(${fresh}) ${TITLE}`;
}, () => { /* The chip of the system says so. */ }, { every: AGAIN_S });
