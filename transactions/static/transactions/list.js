// Offers the list in the zone of the browser, where it is in another one.
const zone = document.getElementById("zone");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && own && own !== zone.dataset.zone) {
  const query = new URLSearchParams(location.search);
  query.set("timezone", own);
  query.delete("cursor");
  const link = document.createElement("a");
  link.href = `?${query}`;
  link.textContent = `Show in ${own}`;
  zone.closest("label").after(link);
}
