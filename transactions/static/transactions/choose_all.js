// Buttons that choose all boxes of a name, or none where all are chosen already.
for (const button of document.querySelectorAll("[data-choose]")) {
  const boxes = [...button.form.querySelectorAll(`input[type=checkbox][name="${button.dataset.choose}"]`)];
  const tell = () => { button.textContent = boxes.every((box) => box.checked) ? "Choose none" : "Choose all"; };
  button.addEventListener("click", () => {
    const wanted = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = wanted;
    tell();
  });
  for (const box of boxes) box.addEventListener("change", tell);
  button.hidden = false;
  tell();
}
