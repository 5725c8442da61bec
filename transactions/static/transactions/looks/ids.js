// The end of an id that is cut stands at once behind its “…”: browsers leave a part of a letter free between them.
const widths = new Map(), pen = document.createElement("canvas").getContext("2d");
const watcher = new ResizeObserver((entries) => closeUp(entries.map(({ target }) => target)));

export function watch(id) {
  watcher.observe(id.firstElementChild);
}

function closeUp(heads) {
  // All is measured before anything moves.
  const gaps = heads.map(gapOf);
  heads.forEach((head, place) => {
    head.nextElementSibling.style.translate = gaps[place] ? `${-gaps[place]}px` : "";
  });
}

// What is free behind the “…”: it follows the last letter that leaves room for it.
function gapOf(head) {
  const text = head.firstChild, room = head.clientWidth - ellipsis(getComputedStyle(head));
  if (!text || head.scrollWidth <= head.clientWidth) return 0;
  const range = document.createRange();
  range.setStart(text, 0);
  let [fits, over, width] = [0, text.length, 0];
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    range.setEnd(text, middle);
    const taken = range.getBoundingClientRect().width;
    if (taken > room) over = middle;
    else [fits, width] = [middle, taken];
  }
  return Math.max(0, Math.floor(room - width));
}

// Computed styles with figures of one width have no `font` of one piece.
function ellipsis({ fontWeight, fontSize, fontFamily }) {
  const font = `${fontWeight} ${fontSize} ${fontFamily}`;
  if (!widths.has(font)) {
    pen.font = font;
    widths.set(font, pen.measureText("…").width);
  }
  return widths.get(font);
}

for (const id of document.querySelectorAll(".id")) watch(id);
// Letters of the page's own font are of another width.
document.fonts.ready.then(() => {
  widths.clear();
  closeUp([...document.querySelectorAll(".id > span:first-child")]);
});
