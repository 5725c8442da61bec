// The system's own alarms, asked for again while the page is open: what the server answers is the card itself.
const AGAIN_MS = 20_000, TIMEOUT_MS = 15_000;
const card = document.getElementById("alarms");

async function again() {
  if (document.hidden) return;
  let answer, text;
  try {
    answer = await fetch(card.dataset.url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await answer.text();
  } catch { return; }
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(text, "text/html").getElementById("alarms");
  if (!now) return;
  card.className = now.className;
  // Only what is news: a screen reader hears it each time.
  const [shown, told] = [card, now].map((each) => each.querySelector("ul"));
  if (shown.textContent.trim() !== told.textContent.trim()) shown.replaceChildren(...told.children);
}

if (card) {
  setInterval(again, AGAIN_MS);
  document.addEventListener("visibilitychange", again);
}
