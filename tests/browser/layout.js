// Finds what of a page is wider than the screen, stands on something else, or breaks inside a word; menus are opened for it.
// Given selectors of what stands in one line, and of rows whose children never stand on each other.
([oneLine, rows]) => {
  const found = [], root = document.documentElement;
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const said = (element) => `${element.tagName.toLowerCase()}.${element.className} “${element.textContent.trim().slice(0, 40)}”`;
  if (root.scrollWidth > root.clientWidth) found.push(`wider than the screen by ${root.scrollWidth - root.clientWidth}`);
  for (const element of document.querySelectorAll(oneLine)) {
    if (!seen(element) || element.closest(".sr-only")) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const lines = new Set([...range.getClientRects()].filter((box) => box.width > 1).map((box) => Math.round(box.bottom / 12)));
    const line = parseFloat(getComputedStyle(element).lineHeight) || 20;
    if (lines.size > 1 && range.getBoundingClientRect().height > 1.8 * line) found.push(`two lines: ${said(element)}`);
  }
  for (const row of document.querySelectorAll(rows)) {
    if (!seen(row)) continue;
    const children = [...row.children].filter((child) => seen(child) && !child.matches(".sr-only, .menu-body, :empty") && getComputedStyle(child).position !== "absolute");
    children.forEach((one, place) => children.slice(place + 1).forEach((other) => {
      const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left), down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1) found.push(`on each other: ${said(one)} and ${said(other)}`);
    }));
  }
  for (const element of document.querySelectorAll(".card, .banner, .pill, .button, .figure-value")) {
    const box = element.getBoundingClientRect();
    if (seen(element) && !element.closest(".scrolls, .rows, .tabs, dialog, [data-simplebar]") && box.right > root.clientWidth + 1) found.push(`out of the screen: ${said(element)}`);
  }
  // What does not wrap runs over the end of its cell or its line, onto what is beside it.
  for (const cell of document.querySelectorAll(".plain :is(td, th), .happened li, .facts div")) {
    if (seen(cell) && cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).overflowX === "visible") found.push(`over its end: ${said(cell)}`);
  }
  // An id is cut in its middle, and its beginning is in line with others; of a name so much is left that one knows whose.
  for (const head of document.querySelectorAll(".id > span:first-child")) {
    if (seen(head) && head.scrollWidth > head.clientWidth && getComputedStyle(head).direction === "rtl") found.push(`cut at its front: ${said(head.parentElement)}`);
  }
  for (const name of document.querySelectorAll(".name")) {
    if (seen(name) && name.scrollWidth > name.clientWidth + 1 && name.clientWidth < 60) found.push(`nothing is left of it: ${said(name)}`);
  }
  // A word or a number that a line has room for is never broken inside. (Beside signs a browser may break.)
  const texts = document.createTreeWalker(document.querySelector("#content") ?? document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, holder = text.parentElement;
    if (!seen(holder) || holder.closest(".sr-only, script, style, pre, select, .chart-table")) continue;
    for (const { 0: word, index } of text.data.matchAll(/[\p{L}\p{N}][\p{L}\p{N}.,@_]*/gu)) {
      if (word.length > 24) continue;
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const tops = new Set([...range.getClientRects()].filter((box) => box.width > 0).map((box) => Math.round(box.top)));
      if (tops.size > 1) found.push(`broken inside: ${word} of ${said(holder)}`);
    }
  }
  // On a phone nobody sees that a table goes on to the right.
  for (const table of document.querySelectorAll(".scrolls")) {
    if (seen(table) && root.clientWidth < 768 && table.scrollWidth > table.clientWidth + 1) found.push(`cut by the screen: ${said(table)}`);
  }
  for (const menu of document.querySelectorAll("#content details.menu:not([open])")) {
    if (!seen(menu)) continue;
    menu.open = true;
    const box = menu.querySelector(".menu-body").getBoundingClientRect();
    if (box.left < 0 || box.right > root.clientWidth) found.push(`opens beyond the screen: ${said(menu)}`);
    menu.open = false;
  }
  return [...new Set(found)];
}
