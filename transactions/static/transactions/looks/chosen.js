// How many rows of a list are chosen, in the bar for them.
const BOXES = "td > input[type=checkbox]";

for (const told of document.querySelectorAll(".many .how-many")) {
  const form = told.closest("form");
  const count = () => { told.textContent = `${form.querySelectorAll(`${BOXES}:checked`).length} chosen`; };
  form.addEventListener("change", count);
  // A browser that goes back to a page gives it its choices again.
  addEventListener("pageshow", count);
  count();
}

// Chooses a row, or not, as a click does.
export function choose(box, wanted = !box.checked) {
  box.checked = wanted;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}
