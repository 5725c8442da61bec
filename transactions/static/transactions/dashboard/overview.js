// The figures of the chosen period, what they are compared with, and what is wrong.
import { delta, made, spark } from "../looks/components.js";
import { renew, say } from "../looks/news.js";
import { rememberOne } from "./filters.js";
import * as format from "./format.js";

const at = (id) => document.getElementById(id);
// How each figure is shown; what its link is narrowed to; the sign of a change that is good.
const FIGURES = {
  succeeded: { shown: format.money, status: "SUCCESS", good: "up" },
  count: { shown: format.whole, status: "" },
  success_rate: { shown: format.percent, status: "SETTLED", good: "up", says: "Open those that succeeded or failed" },
  pending: { shown: format.whole, status: "PENDING", good: "down", tone: "warn" },
};
const UNITS = { percent: "%", points: "points", count: "" };
// So many signs a figure has at most in its own size, in that of titles, and before a phone gives it a whole line.
const FIGURE_MAX = 13, TITLE_MAX = 18, PHONE_MAX = 19;
const DAY_MS = 86_400_000;
// The part of a period of which something has to be known for a sparkline.
const KNOWN_LEAST = 1 / 4;

// Of when the figures on the page are, and of which period in words; null until there are some.
let shown = null;

// --- The choices of period and comparison, kept in the page's URL

// On a phone, where they take two lines, what is wrong stands before them: for eyes, and for keys.
const onPhone = matchMedia("(max-width: 47.99rem)");
function placeChoices() {
  if (onPhone.matches) at("money").before(at("choices"));
  else document.querySelector(".page-head").append(at("choices"));
}
onPhone.addEventListener("change", placeChoices);
placeChoices();

// What is wrong with an address is told in the words of the buttons.
const NO_SUCH = {
  period: (asked) => `There is no period “${asked}”.`,
  compare: (asked) => `There is nothing called “${asked}” to compare with.`,
};
const inWords = (button) => button.textContent.trim().replace(/^vs\s+/, "");
const PARAMETERS = ["period", "compare", "timezone", "from", "to", "status", "user", "min", "max"];
const UNKNOWN = (name) => `The address says “${name.slice(0, 40)}”: nothing here is called so.`;
const UNKNOWN_MAX = 3;

// Calls `changed` after each choice; returns what is chosen now as the server asks for it.
export function bindChoices(changed) {
  const query = new URLSearchParams(location.search), chosen = {}, wrong = [];
  for (const name of ["period", "compare"]) {
    const buttons = [...at(name).querySelectorAll("button")];
    const first = buttons.find((button) => button.ariaPressed === "true").dataset.choice;
    const asked = query.get(name);
    const known = buttons.some((button) => button.dataset.choice === asked);
    if (asked && !known) {
      const words = new Map(buttons.map((button) => [button.dataset.choice, inWords(button)]));
      const choices = [...words.values()].join(", ").replace(/, ([^,]*)$/, " or $1");
      wrong.push(`${NO_SUCH[name](asked.slice(0, 40))} Choose ${choices}; this page shows ${words.get(first)}.`);
    }
    const choose = (choice) => {
      chosen[name] = choice;
      for (const button of buttons) button.ariaPressed = String(button.dataset.choice === choice);
    };
    choose(known ? asked : first);
    for (const button of buttons) button.addEventListener("click", () => {
      at("choice-error").textContent = "";
      choose(button.dataset.choice);
      rememberOne(name, button.dataset.choice === first ? "" : button.dataset.choice);
      at("dashboard").ariaBusy = "true";
      changed();
    });
  }
  const unknown = [...new Set(query.keys())].filter((name) => !PARAMETERS.includes(name));
  at("choice-error").textContent = [...wrong, ...unknown.slice(0, UNKNOWN_MAX).map(UNKNOWN)].join(" ");
  return () => new URLSearchParams(chosen);
}

// The list of exactly these transactions, in the zone of the page.
export function listOf(url, since, until, more = {}) {
  const given = Object.entries({ ...more, from: since, to: until, timezone: format.zoneName() });
  return `${url}?${new URLSearchParams(given.filter(([, value]) => value))}`;
}

// --- The row of figures

// `wrong` is what is wrong with the failure rate: as long as that is said, no success rate is called good.
export function showFigures({ as_of: asOf, data }, wrong, listUrl) {
  shown = { asOf, words: data.words };
  at("compare").hidden = data.compared.fixed;
  const few = tooFew(data);
  tellMoment(`as of ${format.clock(asOf)}: what was accepted until then is counted${few && ` · ${few}`}`);
  for (const [name, how] of Object.entries(FIGURES)) {
    const place = document.querySelector(`[data-figure="${name}"]`), figure = data.figures[name];
    const link = place.querySelector(".figure-value a"), text = how.shown(figure.value);
    say(link, text);
    link.href = listOf(listUrl, data.since, data.until, { status: how.status });
    link.title = how.says ?? "Open these transactions";
    place.classList.toggle("figure-wide", text.length > PHONE_MAX);
    place.classList.toggle("figure-long", text.length > FIGURE_MAX);
    place.classList.toggle("figure-longest", text.length > TITLE_MAX);
    // What is too little to compare with is not told as if one could.
    const before = figure.too_few === null ? was(figure, how, data.compared.words) : "";
    const against = [name === "pending" ? waited(data) : "", before].filter(Boolean).join(" · ");
    const judged = figure.judged !== "neither" && !(wrong && name === "success_rate" && figure.judged === "good");
    const change = delta(figure.change, UNITS[figure.unit], { good: how.good, judged, against });
    renew(place.querySelector(".figure-was"), figure.too_few === null || against ? [change] : []);
    showSpark(place, figure, how);
  }
}

function showSpark(place, { spark: values, judged }, { tone = "bad" }) {
  place.querySelector(".spark")?.remove();
  // Of a few stretches it would be a stump.
  const known = values.filter((value) => value !== null).length;
  if (known < KNOWN_LEAST * values.length || !values.some((value) => Number(value))) return;
  const numbers = values.map((value) => (value === null ? null : Number(value)));
  place.append(spark(numbers, judged === "bad" ? tone : ""));
}

function was({ before }, how, words) {
  if (before === null && how.status === "PENDING") return "";
  const none = before === null || (how.shown !== format.percent && Number(before) === 0);
  return none ? `none ${words}` : `was ${how.shown(before)} ${words}`;
}

// Why figures do not say how they changed, once for all of them.
function tooFew({ figures, compared: { words } }) {
  if (figures.count.too_few) return `${format.whole(figures.count.too_few)} ${words}: too few to compare`;
  return Object.values(figures).some(({ too_few: few }) => few) ? "what shows no change is too little to compare" : "";
}

function waited({ oldest_pending: oldest, until }) {
  return oldest ? `oldest ${format.seconds((Date.parse(until) - Date.parse(oldest)) / 1000)}` : "";
}

// Says why there are no newer figures, and of when and of which period those are that stay: another may be chosen.
export function failFigures(why) {
  tellMoment(shown ? `${why} These are as of ${format.clock(shown.asOf)}, of what came ${shown.words}.` : why);
}

// What was asked for is told, or cannot be: nobody waits for it any more.
function tellMoment(text) {
  at("dashboard").ariaBusy = "false";
  say(at("figures-moment"), text);
}

// --- What is wrong

// `alert` is the one about it, for who may see alerts; `untold`: whether there is one cannot be told.
export function showWrong(wrong, alert, listUrl, untold) {
  at("wrong").hidden = !wrong;
  if (!wrong) return at("wrong-said").textContent = "";
  const since = wrong.longer ? "for over a day" : `since ${sinceWhen(wrong.since)}`;
  const usually = ` Usually ${format.percent(wrong.usual.middle)} at this time of day.`;
  const all = ` In all that time ${format.whole(wrong.failed)} failed, ${format.percent(wrong.mean)}.`;
  const unsure = untold ? [" Whether there is an alert about it cannot be told now."] : [];
  const now = `${format.percent(wrong.rate)} in the last ${wrong.minutes} minutes`;
  say(at("wrong").querySelector("strong"), `Failed transactions are at ${now}, more than usual ${since}.`);
  const words = made("span");
  words.append(usually, all, ...whose(wrong, listUrl), ...unsure);
  renew(at("wrong").querySelector("p span"), [...words.childNodes]);
  // Said once, and not with every new figure.
  say(at("wrong-said"), `More transactions fail than usual, ${since}.`);
  const { from, to, status } = wrong.query;
  at("wrong-open").href = listOf(listUrl, from, to, { status });
  say(at("wrong-open"), `Open ${format.whole(wrong.failed)} failed`);
  showAlert(alert);
}

// Each name leads to what failed of that customer.
function whose({ customers, share, of_latest: ofLatest, query: { from, to, status } }, listUrl) {
  if (!customers.length) return [" They are spread over many customers."];
  const names = customers.flatMap(({ user, name }, place) => {
    const link = made("a", "name", name ? format.visible(name) : `customer ${user}`);
    link.href = listOf(listUrl, from, to, { status, user });
    link.dataset.customer = user;
    return [place === 0 ? " " : place === customers.length - 1 ? " and " : ", ", link];
  });
  const latest = ofLatest ? ` (of the latest ${format.whole(ofLatest)} transactions)` : "";
  const make = customers.length === 1 ? "makes" : "make";
  return [...names, ` ${make} up ${format.decimal(100 * share, 0)}\u00a0% of them${latest}.`];
}

function sinceWhen(moment) {
  return Date.now() - Date.parse(moment) < DAY_MS / 2 ? format.minute(moment) : format.stretch(moment);
}

function showAlert(alert) {
  const take = at("wrong-take"), open = at("wrong-alert");
  const free = Boolean(alert && take && alert.assignee === null);
  if (take) take.hidden = !free;
  open.hidden = !alert || free;
  if (!alert) return;
  open.href = alert.link;
  say(open, `Open alert ${alert.id}`);
  if (!free) return;
  take.action = alert.take;
  take.elements.version.value = alert.version;
  say(take.querySelector("button"), `Take alert ${alert.id}`);
}
