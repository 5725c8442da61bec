// The zone of all times on a page: the one that was chosen, at first the browser's. It is kept in a cookie, since
// the server makes the pages. A link that names one is followed for its page only, which says so.
const NAME = "timezone", YEAR_S = 31_536_000;
const at = (id) => document.getElementById(id);
const kept = () => document.cookie.split("; ").find((each) => each.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
const known = (name) => {
  try { return Boolean(name) && Boolean(new Intl.DateTimeFormat("en", { timeZone: name })); } catch { return false; }
};

// One that was chosen stays; the browser's may be another one the next time.
function keep(name, age = "") {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${NAME}=${name}; path=/admin; samesite=lax${secure}${age}`;
}

// The zone in which the server made the page.
export function zoneOfPage() { return at("zone-shown")?.dataset.zone ?? "UTC"; }

// The zone that somebody chose, at first the browser's: no link changes it.
const chosen = () => [kept(), Intl.DateTimeFormat().resolvedOptions().timeZone].find(known) ?? "UTC";

// The zone that the page's URL names, or the saved view that it opens.
const isLinked = () => "linked" in (at("zone-shown")?.dataset ?? {});
const named = () => [new URLSearchParams(location.search).get(NAME), isLinked() && zoneOfPage()].find(known);

// The zone of this page.
export function zone() { return named() ?? chosen(); }

if (kept() !== chosen()) keep(chosen());

at("zone-menu")?.addEventListener("toggle", () => {
  if (at("zones").children.length > 0) return;
  at("zones").append(...names().map((name) => new Option(name)));
  at("zone").select();
});

// Says at the top which one holds now, and where it is a link's that the chosen one stays.
export function tellZone(name) {
  at("zone").value = at("zone-shown").textContent = name;
  const mine = chosen(), linked = name !== mine;
  at("zone-menu").querySelector("summary").ariaLabel = `Time zone ${name}${linked ? ", for this page only" : ""}`;
  for (const id of ["zone-here", "zone-linked", "zone-back"]) at(id).hidden = !linked;
  const told = `This page is shown in the zone of its link, ${name}. Yours is ${mine} and stays so.`;
  at("zone-linked").textContent = linked ? told : "";
  at("zone-back").textContent = `Show in ${mine}`;
}

if (at("zone") && named()) tellZone(named());

// A page that can show all it has in another zone says so by preventing the default; others are made anew.
at("zone")?.addEventListener("change", () => choose(meant(at("zone").value.trim())));
at("zone-back")?.addEventListener("click", () => choose(chosen()));

const names = () => ["UTC", ...Intl.supportedValuesOf("timeZone")];

// The zone that somebody means who types its name or a part of it, in any letter case; what was typed where none is
// meant, or several are.
function meant(typed) {
  const part = typed.toLowerCase().replaceAll(" ", "_");
  const fits = names().filter((name) => name.toLowerCase().includes(part));
  const whole = fits.find((name) => name.toLowerCase() === part);
  if (whole || known(typed)) return whole ?? typed;
  return part && fits.length === 1 ? fits[0] : typed;
}

function choose(name) {
  at("zone").setAttribute("aria-invalid", !known(name));
  at("zone-error").textContent = known(name) ? "" : "No such time zone.";
  if (!known(name)) return;
  const linked = Boolean(named());
  keep(name, `; max-age=${YEAR_S}`);
  tellZone(name);
  const shown = !document.dispatchEvent(new CustomEvent("zonechange", { detail: name, cancelable: true }));
  if (shown) return;
  const url = new URL(location.href);
  url.hash = "";
  // What was asked for by the clock of the zone before is the same by the new one's.
  const same = at("zone-shown").dataset.sameMoments;
  if (same) url.search = same;
  if (linked) url.searchParams.set(NAME, name);
  location.replace(url);
}
