// Suggests customers to who types a part of a name, or a number, into a filter: what is chosen is what one would type.
import { once } from "./asking.js";

const TYPING_MS = 150;
// A name of digits alone would be read as a number.
const NUMBER = /^[0-9]+$/;

document.querySelectorAll("input[data-suggests]").forEach((input, place) => {
  const list = document.createElement("datalist");
  list.id = `suggested-${place}`;
  input.after(list);
  input.setAttribute("list", list.id);
  input.autocomplete = "off";
  let timer = 0;

  const suggest = (names) => list.replaceChildren(...Object.entries(names).map(([key, name]) => {
    const option = document.createElement("option");
    option.value = NUMBER.test(name) ? key : name;
    option.label = `${name} · number ${key}`;
    return option;
  }));

  input.addEventListener("input", () => {
    clearTimeout(timer);
    const part = input.value.trim();
    if (part === "") return suggest({});
    timer = setTimeout(() => once(
      `${input.dataset.suggests}?${new URLSearchParams({ part })}`,
      // Who has typed on is not told of what was typed before; without an answer there is nothing to suggest.
      ({ names }) => { if (input.value.trim() === part) suggest(names); },
      () => suggest({}),
    ), TYPING_MS);
  });
});
