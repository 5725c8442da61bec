// Light or dark as the theme's own switch was left, on pages that do without the theme's script.
{
  const chosen = JSON.parse(localStorage.getItem("adminTheme") ?? '"auto"');
  const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.add(dark ? "dark" : "light");
}
