// Takes away what an empty system says, and so shows what it stood for, once a first transaction is in the live table
// and the figures have it too: they have what is stored.
const card = document.getElementById("first-hour");
const rows = document.getElementById("rows");
const count = document.querySelector("[data-figure=count] .figure-value");
// Where nothing is stored, or what came is of another time than the figures, they stand there empty after a while.
const STORED_MS_MAX = 15_000;
const watching = new MutationObserver(tell);
let waits = 0;

function tell() {
  if (!rows.querySelector("tbody tr")) return;
  if (/[1-9]/.test(count.textContent)) return end();
  waits ||= setTimeout(end, STORED_MS_MAX);
  document.getElementById("first-hour-said").textContent =
    "The first one has arrived. Figures and charts stand here as soon as it is stored, in a few seconds.";
}

function end() {
  watching.disconnect();
  clearTimeout(waits);
  // A key that was in it has somewhere to be.
  if (card.contains(document.activeElement)) document.getElementById("content").focus();
  card.hidden = true;
}

for (const place of [rows, count]) watching.observe(place, { childList: true, characterData: true, subtree: true });
tell();
