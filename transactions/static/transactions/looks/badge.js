// How many alerts are open, in the menu of each page; as review/queue.py says it on a page that is loaded.
import { say } from "./news.js";

// `open`: a number, or what stands in the badge of a newer page; empty or 0 for none.
export function showBadge(open) {
  const badge = document.getElementById("alerts-badge");
  if (!badge) return;
  const { most } = badge.dataset;
  say(badge.firstElementChild, open > Number(most) ? `${most}+` : String(open));
  badge.hidden = !Number(open) && !/\D/.test(open);
}
