// Puts what is new into a page that somebody reads: what is as it was stays untouched, and with it the focus, the
// marked text, and the place of a screen reader. Every figure that comes again and again goes this way.

// Says `text` at `place`, where that is news.
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// Makes `wanted` the content of `place`. What is there already is changed in place: the first that is the same thing,
// which is of the same tag, id and data-attributes. So what may change its place has one of these of its own.
export function renew(place, wanted) {
  const there = [...place.childNodes];
  const next = wanted.map((child) => {
    const found = there.findIndex((node) => isSame(node, child));
    if (found < 0) return child;
    const [node] = there.splice(found, 1);
    mend(node, child);
    return node;
  });
  const lost = there.some((node) => node.contains(document.activeElement));
  for (const node of there) node.remove();
  put(place, next);
  if (lost) goHome(place);
}

function isSame(node, child) {
  const [one, other] = [node, child].map(({ nodeName, id, dataset }) => JSON.stringify([nodeName, id, { ...dataset }]));
  return one === other;
}

function mend(node, child) {
  if (node.isEqualNode(child)) return;
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.data = child.data;
    return;
  }
  for (const { name } of [...node.attributes]) if (!child.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of child.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  renew(node, [...child.childNodes]);
}

// In this order. A node that is moved loses the focus: where one is held, the others move around it.
function put(place, next) {
  const held = next.find((node) => node.parentNode === place && isHeld(node));
  let at = place.firstChild;
  for (const node of next) {
    while (node === held && at !== held) {
      const later = at;
      at = at.nextSibling;
      place.append(later);
    }
    if (node === at) at = at.nextSibling;
    else place.insertBefore(node, at);
  }
}

function isHeld(node) {
  const marked = getSelection();
  return node.contains(document.activeElement) || (!marked.isCollapsed && node.contains(marked.anchorNode));
}

// Where the focus goes when what had it is gone: to the part of the page in which that was.
function goHome(place) {
  const home = place.closest("[tabindex], section");
  if (!home) return;
  if (!home.hasAttribute("tabindex")) home.tabIndex = -1;
  home.focus({ preventScroll: true });
}
