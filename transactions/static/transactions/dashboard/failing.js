// Whose transactions failed most in the period, beside the time that it is compared with.
import { made, wholeId } from "../looks/components.js";
import { renew, say } from "../looks/news.js";
import { save } from "./csv.js";
import * as format from "./format.js";
import { listOf } from "./overview.js";

const card = document.getElementById("failing");
const [note, list, empty] = [".chart-note", "ol", ":scope > .quiet"].map((place) => card.querySelector(place));
const HEAD = ["Customer", "Number", "Failed", "Failed before"];
let rows = [], shownAsOf = null;
card.querySelector(".csv").addEventListener("click", () => save("failed-by-customer", [HEAD, ...rows]));

export function failFailing(why) {
  empty.hidden = false;
  say(empty, shownAsOf ? `${why} These are as of ${format.clock(shownAsOf)}.` : why);
}

// `until` is the end of the period.
export function showFailing({ as_of: asOf, data }, { until, words, compared }, listUrl) {
  const { since, partial, failed, customers } = data;
  shownAsOf = customers.length ? asOf : null;
  const name = ({ name: called }) => format.visible(called ?? "(deleted)");
  rows = customers.map((each) => [name(each), each.user, each.failed, each.before]);
  card.querySelector(".csv").disabled = rows.length === 0;
  card.querySelector(".menu-body a").href = listOf(listUrl, since, until, { status: "FAILED" });
  const of = partial ? `of the latest that are kept, since ${format.stretch(since)}` : words;
  renew(note, [made("span", "key key-bad", of), made("span", "key key-outline", compared.words)]);
  empty.hidden = rows.length > 0;
  say(empty, `✓ Nothing failed ${of}.`);
  const most = Math.max(1, ...customers.flatMap((each) => [each.failed, each.before ?? 0]));
  renew(list, customers.map((each) => {
    const item = made("li"), bars = made("span", "failing-bars");
    const link = wholeId(name(each), listOf(listUrl, since, until, { user: each.user, status: "FAILED" }));
    item.dataset.customer = each.user;
    link.title = `${name(each)}: ${format.whole(each.failed)} of ${format.whole(failed)} failed`;
    for (const [count, kind] of [[each.failed, "now"], [each.before ?? 0, "before"]]) {
      const bar = made("span", kind);
      bar.style.width = `${(100 * count) / most}%`;
      bars.append(bar);
    }
    const count = made("span", "failing-count", format.whole(each.failed));
    count.append(made("small", "", each.before === null ? " was ?" : ` was ${format.whole(each.before)}`));
    item.append(link, bars, count);
    return item;
  }));
}
