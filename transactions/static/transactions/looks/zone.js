// The zone of all times on a page: the one that was chosen, at first the browser's. It is kept in a cookie, since
// the server makes the pages; a link that names one is followed.
const NAME = "timezone", YEAR_S = 31_536_000;
const at = (id) => document.getElementById(id);
const kept = () => document.cookie.split("; ").find((each) => each.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
const known = (name) => {
  try { return Boolean(name) && Boolean(new Intl.DateTimeFormat("en", { timeZone: name })); } catch { return false; }
};

// One that was chosen stays; the browser's may be another one the next time.
function keep(name, age = "") {
  document.cookie = `${NAME}=${name}; path=/admin; samesite=lax${location.protocol === "https:" ? "; secure" : ""}${age}`;
}

// The zone in which the server made the page.
export function zoneOfPage() { return at("zone-shown")?.dataset.zone ?? "UTC"; }

// The zone that holds from now on.
export function zone() {
  const named = new URLSearchParams(location.search).get(NAME);
  return [named, kept(), Intl.DateTimeFormat().resolvedOptions().timeZone].find(known) ?? "UTC";
}

if (kept() !== zone()) keep(zone());

at("zone-menu")?.addEventListener("toggle", () => {
  if (at("zones").children.length === 0) at("zones").append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((name) => new Option(name)));
  at("zone").select();
});

// Says at the top which one holds now.
export function tellZone(name) {
  at("zone").value = at("zone-shown").textContent = name;
  at("zone-menu").querySelector("summary").ariaLabel = `Time zone ${name}`;
}

// A page that can show all it has in another zone says so by preventing the default; others are made anew.
at("zone")?.addEventListener("change", () => {
  const name = at("zone").value.trim();
  at("zone").setAttribute("aria-invalid", !known(name));
  at("zone-error").textContent = known(name) ? "" : "No such time zone.";
  if (!known(name)) return;
  keep(name, `; max-age=${YEAR_S}`);
  tellZone(name);
  const shown = !document.dispatchEvent(new CustomEvent("zonechange", { detail: name, cancelable: true }));
  if (shown) return;
  const url = new URL(location.href);
  url.hash = "";
  if (url.searchParams.has(NAME)) url.searchParams.set(NAME, name);
  location.replace(url);
});
