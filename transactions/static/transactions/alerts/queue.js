// The queue by keys and in bulk. Without JavaScript the rows open by their links.
const rows = [...document.querySelectorAll("tr[data-alert]")];
const form = document.getElementById("many");
const all = document.getElementById("all");
const keys = document.getElementById("keys");
const boxes = rows.map((row) => row.querySelector("input[name=alert]")).filter(Boolean);
let here = -1;

const chosen = () => boxes.filter((box) => box.checked);

function count() {
  if (!form) return;
  const some = chosen().length;
  form.hidden = some === 0;
  document.getElementById("chosen").textContent = some;
  rows.forEach((row) => row.toggleAttribute("data-chosen", row.querySelector("input[name=alert]").checked));
  if (all) {
    all.checked = some > 0 && some === boxes.length;
    all.indeterminate = some > 0 && some < boxes.length;
  }
}

function go(step) {
  here = Math.min(Math.max(here + step, 0), rows.length - 1);
  rows[here]?.querySelector("a").focus();
}

function toggle(box) {
  if (!box) return;
  box.checked = !box.checked;
  count();
}

// Claims the row that is looked at, or all that are chosen.
function claim() {
  if (!form) return;
  if (chosen().length === 0) {
    if (here < 0) return;
    boxes[here].checked = true;
    count();
  }
  form.requestSubmit(form.querySelector("[value=claim]"));
}

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  x: () => toggle(boxes[here]),
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
  boxes.forEach((box) => { box.checked = all.checked; });
  count();
});
document.getElementById("keys-button").addEventListener("click", () => keys.showModal());
count();
