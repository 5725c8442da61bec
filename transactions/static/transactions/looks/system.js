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
// After so long without an answer it is not known how the system is: the alive time of a live feed, and how late it may
// be (live/readers.py, dashboard/feed.js). The page of the system, which asks all the time, counts from the last
// answer, others from when they asked.
const ALIVE_MS = 12_000;
let patience = 0;
// What this page itself finds wrong, which the server cannot know: {tone, said}, or null; of what does not answer also
// the `part`, PostgreSQL or the server itself.
let feed = null, away = null;
let asking = false;

// Asks now, and shows what is answered, or that nothing is.
export async function refresh() {
  if (!chip || asking || document.hidden) return;
  asking = true;
  if (!health) beginPatience();
  const fail = (why, { status, body, gone }) => {
    if (status || gone) tellAway(status === FORBIDDEN ? ENDED : why, body?.part);
    else tellLate(why);
  };
  try {
    await once(health ? location.pathname : chip.dataset.url, take, fail, page);
  } finally {
    asking = false;
    if (!health) clearTimeout(patience);
  }
  show();
}

function beginPatience() {
  clearTimeout(patience);
  patience = setTimeout(() => {
    if (document.hidden) return;
    tellLate("The server does not answer in time.");
    show();
  }, ALIVE_MS);
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

// Calls `turned` whenever what the server says turns from good to bad, or back: what was told before is old then.
export function whenToneTurns(turned) {
  if (!chip) return;
  let tone = chip.dataset.tone;
  new MutationObserver(() => {
    if (chip.dataset.tone !== tone) turned();
    tone = chip.dataset.tone;
  }).observe(chip, { attributeFilter: ["data-tone"] });
}

// Nobody answers this page, and why.
export function tellSilent(why) {
  tellAway(why);
  if (chip) show();
}

// Where it is told what to do while nobody answers: in the chip, for no page can be opened.
export const SILENT = "#system-silent";
document.addEventListener("click", (event) => {
  if (!event.target.closest(`a[href="${SILENT}"]`)) return;
  event.preventDefault();
  chip.querySelector("details").open = true;
  at("system-silent")?.focus();
});

// Where it is told what to do about a part of which the server has just said that it does not answer.
export const adviceOn = (part) => (away ? SILENT : `${chip.dataset.page}#${part}`);

// Of who is late and said before that PostgreSQL does not answer, that is the reason: nobody is to restart the server.
function tellLate(why) {
  if (away?.part !== "postgres") tellAway(why);
}

function tellAway(why, part = "") {
  away = { tone: "bad", said: withoutPoint(why), part: part === "postgres" ? part : "web" };
}
function withoutPoint(sentence) { return sentence.replace(/\.$/, ""); }

function take(answer) {
  const now = answer.getElementById("system");
  // Who is logged out is led to the log-in, a page without a chip.
  if (!now) return tellAway(ENDED);
  away = null;
  if (health) beginPatience();
  chip.dataset.tone = now.dataset.tone;
  chip.dataset.again = now.dataset.again;
  chip.dataset.said = answer.getElementById("system-said").textContent;
  chip.dataset.aloud = answer.getElementById("system-aloud").textContent;
  for (const place of [health, at("system-as-of"), at("system-parts")]) {
    if (!place) continue;
    place.classList.remove("not-known");
    renew(place, [...answer.getElementById(place.id).childNodes]);
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
  const silent = at("system-silent");
  if (silent) silent.hidden = away === null || away.said === withoutPoint(ENDED);
  for (const advice of away ? document.querySelectorAll("#system-silent > *, #silent-advice > *") : []) {
    advice.hidden = advice.dataset.of !== away.part;
  }
  for (const place of [health, at("system-parts")]) if (place && away) forget(place, said);
  say(at("system-short"), aloud);
  say(at("system-said"), said);
  say(at("system-aloud"), aloud);
}

// Of how each part is now nothing is known: what stands there was so at its moment. The next answer has it all anew.
function forget(place, said) {
  place.classList.add("not-known");
  for (const pill of place.querySelectorAll(":not(#silent *).pill")) {
    pill.className = "pill pill-none";
    say(pill, "not known");
  }
  if (place !== health) return;
  at("silent").hidden = false;
  say(at("silent-part"), at("silent").querySelector(`[data-of=${away.part}]`).dataset.title);
  at("silent-advice").hidden = said === withoutPoint(ENDED);
  say(at("silent-why"), `${said}.`);
  say(health.querySelector("#as-it-should-be h2"), "As it was then");
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
  document.addEventListener("visibilitychange", () => {
    if (health && !document.hidden) beginPatience();
    refresh();
  });
  if (health) beginPatience();
}
