// A webhook's page looks again by itself while a message is on its way, and a secret is copied by a button.
const LOOK_MS = 2000, LOOKS_MAX = 30;

if (document.querySelector("#log[data-waits]")) look(LOOKS_MAX);
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button.dataset.copy));

function look(left) {
  setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The next look may find the server again.
    }
    if (left > 1 && document.querySelector("#log[data-waits]")) look(left - 1);
  }, LOOK_MS);
}

// What somebody is just using stays as it is.
function show(page) {
  for (const id of ["standing", "log"]) {
    const old = document.getElementById(id), fresh = page.getElementById(id);
    if (fresh && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(fresh));
  }
}

async function copy(id) {
  const told = document.getElementById("copied"), text = document.getElementById(id);
  try {
    await navigator.clipboard.writeText(text.textContent);
    told.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(text);
    told.textContent = "selected: copy it with the keyboard";
  }
}
