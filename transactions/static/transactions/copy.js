// Buttons that copy the text of an element, named by data-copy; what came of it stands beside them.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
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
}
