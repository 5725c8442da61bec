// The chip of the system at the top of each page, asked for again while somebody looks: the server answers with the
// chip itself. The overview has it asked for with its figures; other pages ask seldom, as the server says.
import { FORBIDDEN, once, page } from "./asking.js";
import { renew, say } from "./news.js";
import { showBadge } from "./badge.js";

const ENDED = "Log in again: you may not read this.";
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
  const fail = (why, { status }) => tellAway(status === FORBIDDEN ? ENDED : why);
  try {
    await once(health ? location.pathname : chip.dataset.url, take, fail, page);
  } finally {
    asking = false;
  }
  show();
}

// How the feed is: "live", "resuming", "stale" or "ended", and in words.
export function tellFeed(state, words) {
  const tone = state === "resuming" ? "warn" : "bad";
  feed = state === "live" ? null : { tone, said: `Live feed ${words.replace(/^\W+/, "")}` };
  if (chip) show();
}

// What the server says is grave, without its times, and where it stands what to do about it; null while all is well.
export function cause() {
  const link = chip?.querySelector("#system-parts a[href]")?.href;
  if (!link || chip.dataset.tone === "good") return null;
  return { said: chip.dataset.aloud ?? at("system-aloud").textContent, link };
}

function tellAway(why) { away = { tone: "bad", said: why.replace(/\.$/, "") }; }

function take(answer) {
  const now = answer.getElementById("system");
  // Who is logged out is led to the log-in, a page without a chip.
  if (!now) return tellAway(ENDED);
  away = null;
  chip.dataset.tone = now.dataset.tone;
  chip.dataset.again = now.dataset.again;
  chip.dataset.said = answer.getElementById("system-said").textContent;
  chip.dataset.aloud = answer.getElementById("system-aloud").textContent;
  for (const place of [health, at("system-as-of"), at("system-parts")]) {
    if (place) renew(place, [...answer.getElementById(place.id).childNodes]);
  }
  // The overview is told by its frames.
  const badge = answer.getElementById("alerts-badge");
  if (badge && !at("dashboard")) showBadge(badge.firstElementChild.textContent);
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
  say(at("system-short"), aloud);
  say(at("system-said"), said);
  say(at("system-aloud"), aloud);
}

if (chip && !at("dashboard")) {
  const wait = () => 1000 * (health ? HEALTH_S : chip.dataset.again) * (0.9 + 0.2 * Math.random());
  const again = async () => {
    try {
      await refresh();
    } finally {
      setTimeout(again, wait());
    }
  };
  setTimeout(again, wait());
  document.addEventListener("visibilitychange", refresh);
}
