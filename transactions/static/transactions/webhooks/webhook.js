// The page of a webhook, or of a recipient of mail, looks again by itself while a message is on its way.
import { once, page } from "../looks/asking.js";
import { renew } from "../looks/news.js";

const LOOK_MS = 2000, LOOKS_MAX = 30;
const waits = () => document.querySelector("#log [data-waits]") !== null;
let looks = 0;

if (waits()) setTimeout(look, LOOK_MS);

async function look() {
  try {
    if (!document.hidden) {
      looks += 1;
      // The next look may find the server again.
      await once(location.href, show, () => {}, page);
    }
  } finally {
    if (looks < LOOKS_MAX && waits()) setTimeout(look, LOOK_MS);
  }
}

// Whoever is logged out is answered with another page.
function show(answer) {
  for (const id of ["standing", "log"]) {
    const place = document.getElementById(id), now = answer.getElementById(id);
    if (place && now) renew(place, [...now.childNodes]);
  }
}
