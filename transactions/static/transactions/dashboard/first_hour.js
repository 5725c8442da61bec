// Takes away what an empty system says, and so shows what it stood for, once a first transaction is in the live table.
const card = document.getElementById("first-hour");
const rows = document.getElementById("rows");
const watching = new MutationObserver(tell);

function tell() {
  if (!rows.querySelector("tbody tr")) return;
  watching.disconnect();
  // A key that was in it has somewhere to be.
  if (card.contains(document.activeElement)) document.getElementById("content").focus();
  card.hidden = true;
}

watching.observe(rows, { childList: true, subtree: true });
tell();
