// Buttons that copy the text of an element, named by data-copy; what came of it stands beside them.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const told = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(source.textContent);
    told.textContent = "copied";
  } catch {
    // Without TLS a browser gives no access to the clipboard.
    getSelection().selectAllChildren(source);
    told.textContent = "selected: copy it with the keyboard";
  }
});
