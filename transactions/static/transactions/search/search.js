// The box of the search: what is typed leads somewhere, by the keys or by the mouse. A combobox as ARIA has
// it: the focus stays in the input, which says what in the list is meant.
import { visible } from "../dashboard/format.js";

const TYPING_MS = 120;
const form = document.querySelector("form.find");
const input = form.querySelector("input");
const panel = form.querySelector(".find-panel");
const list = form.querySelector("[role=listbox]");
const said = form.querySelector("[role=status]");
let timer = null;
let asking = null;
let here = -1;

const options = () => [...list.querySelectorAll("[role=option]")];

function open(isOpen) {
  panel.hidden = !isOpen;
  input.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) choose(-1);
}

function choose(place) {
  here = place;
  input.removeAttribute("aria-activedescendant");
  options().forEach((option, number) => {
    option.setAttribute("aria-selected", String(number === place));
    if (number !== place) return;
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  });
}

function go(step) {
  const last = options().length - 1;
  if (last < 0) return;
  if (panel.hidden) open(true);
  const next = here + step;
  choose(next < 0 ? last : next > last ? 0 : next);
}

async function ask() {
  asking?.abort();
  const text = input.value.trim();
  if (text === "") {
    list.replaceChildren();
    said.textContent = "";
    return open(false);
  }
  asking = new AbortController();
  const { signal } = asking;
  try {
    const response = await fetch(`${form.dataset.found}?${new URLSearchParams({ q: text })}`, { signal });
    const answer = await response.json();
    if (!signal.aborted) show(response.ok ? answer : { groups: [], notes: [answer.detail] });
  } catch (error) {
    if (!signal.aborted) show({ groups: [], notes: ["The server does not answer now. Try again."] });
  }
}

function show({ groups, notes }) {
  list.replaceChildren(...groups.map(groupOf));
  options().forEach((option, number) => { option.id = `find-${number}`; });
  const count = groups.reduce((sum, group) => sum + group.items.length, 0);
  list.hidden = count === 0;
  said.textContent = [count === 0 ? `Nothing found. ${form.dataset.advice}` : "", ...notes].filter(Boolean).join(" ");
  choose(-1);
  if (document.activeElement === input) open(true);
}

function groupOf(group) {
  const box = element("div", "find-group");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", group.name);
  const head = element("p", "find-name", group.name);
  head.setAttribute("aria-hidden", "true");
  box.append(head, ...group.items.map((item) => optionOf(item.title, item.detail, item.link)));
  if (group.all) {
    const all = optionOf("Show all of them", "", group.all);
    all.classList.add("find-all");
    box.append(all);
  }
  return box;
}

function optionOf(title, detail, link) {
  const option = element("a", "find-option");
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", "false");
  option.tabIndex = -1;
  option.href = link;
  const strong = element("span", "find-title", visible(title));
  strong.title = title;
  option.append(strong, " ", element("span", "find-detail", visible(detail)));
  return option;
}

function element(kind, name, text = "") {
  const made = document.createElement(kind);
  made.className = name;
  made.textContent = text;
  return made;
}

const KEYS = {
  ArrowDown: () => go(1),
  ArrowUp: () => go(-1),
  Escape: () => {
    if (panel.hidden) input.value = "";
    open(false);
  },
};

input.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && here >= 0 && !panel.hidden) {
    event.preventDefault();
    options()[here].click();
  } else if (event.key in KEYS) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, TYPING_MS);
});
input.addEventListener("focus", () => { if (list.childElementCount || said.textContent) open(true); });
form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) open(false); });
// The focus stays where it is while the mouse chooses.
panel.addEventListener("mousedown", (event) => event.preventDefault());
form.addEventListener("submit", (event) => { if (input.value.trim() === "") event.preventDefault(); });

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
  const isAsked = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k";
  const isSlash = event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!isAsked && !isSlash || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  // The theme has a command of its own on Ctrl-K.
  event.stopImmediatePropagation();
  input.focus();
  input.select();
}, true);
