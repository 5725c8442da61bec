// Puts what is new into a page that somebody reads: what is as it was stays untouched, and with it the focus, the
// marked text, and the place of a screen reader. Every figure that comes again and again goes this way.

// Says `text` at `place`, where that is news.
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// Makes `wanted` the content of `place`. A node that stands for the same thing as one that is wanted stays, and is
// changed to be like that: it has the same tag, id and data-attributes. Of several the first one stays. So things whose
// order may change, or of which one may go, each need an id or a data-attribute of their own.
export function renew(place, wanted) {
  const there = new Map();
  for (const node of place.childNodes) {
    const thing = thingOf(node);
    if (!there.has(thing)) there.set(thing, []);
    there.get(thing).push(node);
  }
  const next = wanted.map((child) => {
    const node = there.get(thingOf(child))?.shift();
    if (!node) return child;
    mend(node, child);
    return node;
  });
  const left = [...there.values()].flat();
  const lost = left.some((node) => node.contains(document.activeElement));
  for (const node of left) node.remove();
  put(place, next);
  if (lost) goHome(place);
}

// Which thing a node stands for.
const thingOf = ({ nodeName, id, dataset }) => JSON.stringify([nodeName, id, { ...dataset }]);

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
