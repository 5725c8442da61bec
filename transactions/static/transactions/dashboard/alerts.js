// The alerts card, and how many are open in the tab's title. Text from outside is only ever text.
import { FORBIDDEN } from "../looks/asking.js";
import { made, pill } from "../looks/components.js";
import { showBadge } from "../looks/badge.js";
import { renew, say } from "../looks/news.js";
import * as format from "./format.js";

const at = (id) => document.getElementById(id);
const TITLE = document.title;
// After the feed has connected it is asked for what no frame told: once the server has let go of the answer that
// it may keep of before, and not by all pages at one moment.
export const CAUGHT_UP_MS = 2_500;
// Up to when what is shown tells everything.
let shownAsOf = -Infinity, shown = [];
const AGES_MS = 30_000, MINUTE_MS = 60_000;
const GRAVE_FIRST = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
const word = (severity) => severity[0] + severity.slice(1).toLowerCase();

// A sound at each new alert, only if it is asked for; the browser remembers it.
const SOUND = "alertsSound";
let latestKnown = null;
if (at("alerts-sound")) {
  at("alerts-sound").checked = localStorage.getItem(SOUND) === "on";
  at("alerts-sound").addEventListener("change", () => {
    localStorage.setItem(SOUND, at("alerts-sound").checked ? "on" : "off");
    if (at("alerts-sound").checked) sound();
  });
}

function sound() {
  const audio = new AudioContext(), tone = audio.createOscillator(), volume = audio.createGain();
  volume.gain.setValueAtTime(0.1, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.4);
  tone.addEventListener("ended", () => audio.close());
}

function heard(openedLately) {
  const latest = openedLately.length ? Date.parse(openedLately[0]) : 0;
  if (latestKnown !== null && latest > latestKnown && at("alerts-sound").checked) sound();
  latestKnown = Math.max(latest, latestKnown ?? 0);
}

// Frames and answers overtake each other: false for one that is older than what is shown.
export function showAlerts(answer) {
  if (Date.parse(answer.as_of) < shownAsOf) return false;
  shownAsOf = Date.parse(answer.as_of);
  const { open, overdue, by_severity: bySeverity, complete, gravest, opened_lately: openedLately } = answer;
  const count = `${format.whole(open)}${complete ? "" : "+"}`;
  const late = overdue ? `, ${format.whole(overdue)} overdue` : "";
  say(at("alerts-count"), `${count} open${late}`);
  document.title = open ? `(${count}) ${TITLE}` : TITLE;
  showBadge(open);
  at("alerts-empty").hidden = open > 0;
  const grave = () => GRAVE_FIRST.filter((name) => bySeverity[name])
    .map((name) => pill(`${format.whole(bySeverity[name])} ${word(name).toLowerCase()}`, name));
  renew(at("alerts-grave"), grave());
  const first = at("alerts-first");
  first.hidden = open === 0;
  say(first.querySelector("a"), `${count} open ${open === 1 ? "alert" : "alerts"}${late}`);
  renew(first.querySelector("span"), grave());
  heard(openedLately);
  shown = gravest;
  renew(at("alerts-gravest"), gravest.map(line));
  return true;
}

export function failAlerts(why, { status }) {
  say(at("alerts-count"), why);
  if (status !== FORBIDDEN) return;
  // The right was taken away: what was shown goes too.
  document.title = TITLE;
  showBadge(0);
  at("alerts-first").hidden = true;
  shown = [];
  renew(at("alerts-grave"), []);
  renew(at("alerts-gravest"), []);
}

// Ages go on where nothing new is told.
setInterval(() => shown.length && renew(at("alerts-gravest"), shown.map(line)), AGES_MS);

function ageOf(age, who) {
  const told = made("small", "alerts-age", `${age} `);
  told.append(made("span", "name", format.visible(who)));
  return told;
}

function line({ id, severity, rule, figures, user, opened_at: openedAt, assignee, link }) {
  const item = made("li"), what = made("span", "alerts-what"), anchor = made("a", "", format.visible(rule));
  item.dataset.alert = id;
  anchor.href = link;
  const who = user === null ? "the whole system" : format.visible(user);
  const told = made("small", "", figures ? `${format.visible(figures).replaceAll(" %", "\u00a0%")}\u00a0· ` : "");
  const whose = made("span", "name", who);
  whose.title = who;
  told.append(whose);
  what.append(anchor, told);
  // Without seconds, which would stand still.
  const ms = Date.now() - Date.parse(openedAt);
  const age = ms < 2 * MINUTE_MS ? (ms < MINUTE_MS ? "just now" : "1 min") : format.seconds(ms / 1000);
  item.append(pill(word(severity), severity), what, ageOf(age, assignee ?? "unassigned"));
  return item;
}
