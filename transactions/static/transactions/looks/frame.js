// The frame of every page: menus that close, tables in the menus of cards, and forms that are sent once.
const open = () => [...document.querySelectorAll("details.menu[open]")];

// Only one menu is open; a click beside it and Escape close it.
document.addEventListener("click", (event) => {
  const button = event.target.closest(".as-table");
  if (button) showTable(button);
  const chosen = event.target.closest(".menu-body :is(a, button[type=button])");
  for (const menu of open()) if (chosen || !menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of open()) {
    menu.open = false;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  }
});
document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details.menu[open]")) return;
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  place(event.target);
}, true);

// A menu opens to the left, from the end of its line; where that is beyond the page's edge, to the right.
function place(menu) {
  const body = menu.querySelector(":scope > .menu-body"), page = menu.closest("#content");
  if (!body || !page) return;
  if (body.getBoundingClientRect().left < page.getBoundingClientRect().left) menu.classList.add("menu-left");
}

// A second click sends nothing while the answer to the first is awaited; what comes to the server twice all the
// same is stored once there. A form may be sent again when its page is come back to, and where no other page came.
const AWAITED_MS = 10_000;
const sent = new Set();
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (sent.has(event.target)) return event.preventDefault();
  sent.add(event.target);
  setTimeout(() => sent.delete(event.target), AWAITED_MS);
});
window.addEventListener("pageshow", () => sent.clear());

function showTable(button) {
  const table = document.getElementById(button.getAttribute("aria-controls"));
  table.hidden = !table.hidden;
  // A chart goes on with time: what came last is what one looks for.
  if (table.matches(".chart-table")) table.scrollTop = table.scrollHeight;
  button.setAttribute("aria-expanded", !table.hidden);
  button.textContent = table.hidden ? "Show as a table" : "Hide the table";
}
