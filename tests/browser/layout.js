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
