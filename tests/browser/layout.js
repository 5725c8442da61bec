// Finds what of a page is wider than the screen, stands on something else, or breaks inside a word.
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
  return [...new Set(found)];
}
