// Who has to log in first still comes to the whole of a link: the part behind its #, an open drawer say, which no
// server is told, becomes a part of where the log-in leads.
const url = new URL(location.href), next = url.searchParams.get("next");
if (next && url.hash) {
  url.searchParams.set("next", next + url.hash);
  url.hash = "";
  document.getElementById("login-form").action = url;
}
