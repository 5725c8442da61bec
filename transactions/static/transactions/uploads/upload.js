// Says that a file is too large before it is sent, sends a form once, and watches a step until it has ended.
import { poll } from "../looks/asking.js";

// The first wait, and the longest.
const POLL_S = 1, SLOWEST_S = 5;
const watched = document.getElementById("upload");
const form = document.getElementById("upload-form");

if (watched && "underWay" in watched.dataset) poll(watched.dataset.progress, watch, () => {
  // The chip of the system says so.
}, { every: POLL_S, slowest: SLOWEST_S });
if (form) {
  form.addEventListener("submit", send);
  // The theme's script looks for a text field beside a file, and fails where there is none.
  form.addEventListener("change", (event) => event.stopPropagation(), { capture: true });
}

function watch({ under_way: underWay, percent, label, told }) {
  if (!underWay) {
    // The page may take long to come, and asking meanwhile would reload it again and again.
    location.reload();
    return false;
  }
  const progress = document.getElementById("progress");
  if (percent === null) progress.removeAttribute("value");
  else progress.value = percent;
  document.getElementById("how-far").textContent = told;
  document.querySelector("#state .pill").textContent = label;
}

function send(event) {
  const field = document.getElementById("upload-file"), error = document.getElementById("upload-error");
  const [file] = field.files;
  const why = !file ? "Choose a file."
    : file.size > Number(form.dataset.bytesMax) ? `The file is over the limit of ${form.dataset.sizeMax}.` : "";
  error.textContent = why;
  field.ariaInvalid = why ? "true" : null;
  if (why) {
    event.preventDefault();
    field.focus();
    return;
  }
  const button = form.querySelector("button");
  button.textContent = "Uploading…";
  button.disabled = true;
  // Whoever comes back to this page may send another file.
  addEventListener("pageshow", () => { button.textContent = "Upload"; button.disabled = false; }, { once: true });
}
