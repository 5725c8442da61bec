// The system's own alarms, asked for again while the page is open: what the server answers is the card itself.
import { FORBIDDEN, page, poll } from "../looks/asking.js";
import { renew, say } from "../looks/news.js";
import { whenToneTurns } from "../looks/system.js";

const AGAIN_S = 20;
const card = document.getElementById("alarms");
const untold = document.getElementById("alarms-untold");

function show(answer) {
  const now = answer.getElementById("alarms");
  if (!now) return fail("The server answered with another page.", {});
  card.className = now.className;
  say(untold, "");
  renew(card.querySelector("ul"), [...now.querySelector("ul").childNodes]);
}

// What nobody knows now is not told as over, nor as going on.
function fail(why, { status }) {
  card.classList.remove("alarms-none");
  for (const none of card.querySelectorAll("li:not([data-alarm])")) none.remove();
  say(untold, `${why} Which alarms there are now is not known.`);
  // The right was taken away: what was shown goes too.
  if (status === FORBIDDEN) renew(card.querySelector("ul"), []);
}

if (card) {
  whenToneTurns(poll(card.dataset.url, show, fail, { every: AGAIN_S, read: page }));
}
