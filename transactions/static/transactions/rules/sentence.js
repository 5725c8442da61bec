// Reads back what is typed into a rule's sentence, as the server understands it, and says by each gap what
// is wrong with it. Without this the form says the same once it is sent.
const form = document.getElementById("draft");
const told = document.getElementById("read-back");
const TYPING_MS = 300;
let timer = null;
let latest = 0;

form.addEventListener("input", (event) => {
  if (event.target.closest(".said")) return;
  event.target.dataset.touched = "";
  clearTimeout(timer);
  timer = setTimeout(readBack, TYPING_MS);
});

async function readBack() {
  const asked = ++latest;
  const typed = new URLSearchParams(new FormData(form));
  typed.delete("csrfmiddlewaretoken");
  for (const name of ["name", "severity", "description"]) typed.delete(name);
  let answer;
  try {
    const response = await fetch(`${form.dataset.readBack}?${typed}`);
    if (!response.ok) throw new Error(response.status);
    answer = await response.json();
  } catch {
    return say([["The server does not answer now; the form can be sent all the same.", false]]);
  }
  if (asked !== latest) return;
  for (const place of form.querySelectorAll("[data-error]")) mark(place, answer.errors[place.dataset.error] ?? "");
  if (answer.sentence) say(answer.sentence);
  else if (form.querySelector("[data-error]:not(:empty)")) say([["What is marked makes no sense yet.", false]]);
  else say([["Not a whole sentence yet.", false]]);
}

function say(pieces) {
  told.replaceChildren(...pieces.map(([text, isGap]) => {
    if (!isGap) return document.createTextNode(text);
    const strong = document.createElement("strong");
    strong.textContent = text;
    return strong;
  }));
}

// A gap that nobody has come to yet is not blamed for being empty.
function mark(place, error) {
  const inputs = [...form.querySelectorAll(`[name="${CSS.escape(place.dataset.error)}"]`)];
  const blamed = inputs.some((input) => input.value !== "" || "touched" in input.dataset) ? error : "";
  place.textContent = blamed;
  for (const input of inputs) {
    if (blamed) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", place.id);
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  }
}
