// The chip of the system at the top of each page, asked for again while somebody looks: the server answers with the
// chip itself. The overview has it asked for with its figures; other pages ask seldom, as the server says.
const TIMEOUT_MS = 10_000;
const at = (id) => document.getElementById(id);
const chip = at("system");
// The page of the system is asked for as a whole, and soon: somebody mends something and looks here.
const health = at("health"), HEALTH_S = 5;
// What this page itself finds wrong, which the server cannot know: {tone, said}, or null.
let feed = null, away = null;
let asking = false;

// Asks now, and shows what is answered, or that nothing is.
export async function refresh() {
  if (!chip || asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(health ? location.pathname : chip.dataset.url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await answer.text();
    if (answer.ok) take(new DOMParser().parseFromString(text, "text/html"));
    else away = { tone: "bad", said: told(text) ?? `The server answered ${answer.status}` };
  } catch {
    away = { tone: "bad", said: "The server does not answer" };
  }
  asking = false;
  show();
}

// How the feed is: "live", "resuming", "stale" or "ended", and in words.
export function tellFeed(state, words) {
  feed = state === "live" ? null : { tone: state === "resuming" ? "warn" : "bad", said: `Live feed ${words.replace(/^\W+/, "")}` };
  if (chip) show();
}

function told(text) {
  try { return JSON.parse(text).detail?.replace(/\.$/, ""); } catch { return null; }
}

function take(page) {
  const now = page.getElementById("system");
  if (!now) return;
  away = null;
  chip.dataset.tone = now.dataset.tone;
  chip.dataset.again = now.dataset.again;
  chip.dataset.said = page.getElementById("system-said").textContent;
  chip.dataset.aloud = page.getElementById("system-aloud").textContent;
  // What somebody has just marked, to copy it, stays.
  if (health && !String(getSelection())) health.replaceChildren(...page.getElementById("health").childNodes);
  at("system-as-of").textContent = page.getElementById("system-as-of").textContent;
  // Somebody may be reading in it, or have the focus there: only what is news is put in.
  const places = [...at("system-parts").children], parts = [...page.getElementById("system-parts").children];
  const names = (list) => list.map((each) => each.dataset.part).join();
  if (names(places) !== names(parts)) return at("system-parts").replaceChildren(...parts);
  places.forEach((place, number) => {
    if (place.innerHTML !== parts[number].innerHTML) place.replaceChildren(...parts[number].childNodes);
  });
}

// The gravest of what the server says and what this page has found.
function show() {
  chip.dataset.said ??= at("system-said").textContent;
  chip.dataset.aloud ??= at("system-aloud").textContent;
  const grave = chip.dataset.tone === "bad";
  const found = away ?? (feed && !grave && (feed.tone === "bad" || chip.dataset.tone === "good") ? feed : null);
  const { tone, said } = found ?? { tone: chip.dataset.tone, said: chip.dataset.said };
  const aloud = found ? said.replace(/ since .*/, "") : chip.dataset.aloud;
  chip.querySelector("summary").title = said;
  chip.querySelector(".dot").className = `dot dot-${tone}`;
  chip.classList.toggle("system-away", away !== null);
  at("system-short").textContent = aloud;
  if (at("system-said").textContent !== said) at("system-said").textContent = said;
  if (at("system-aloud").textContent !== aloud) at("system-aloud").textContent = aloud;
}

if (chip && !at("dashboard")) {
  const wait = () => 1000 * (health ? HEALTH_S : chip.dataset.again) * (0.9 + 0.2 * Math.random());
  const again = async () => {
    await refresh();
    setTimeout(again, wait());
  };
  setTimeout(again, wait());
  document.addEventListener("visibilitychange", refresh);
}
