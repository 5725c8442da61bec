// The drawer: the whole story of one transaction.
import * as format from "./format.js";

const at = (id) => document.getElementById(`drawer-${id}`);

export class Drawer {
  #dialog = document.getElementById("drawer"); #urls; #asked = "";

  constructor(urls) {
    this.#urls = urls;
    at("close").addEventListener("click", () => this.#dialog.close());
    // What is open stands behind the # of the URL, which can be sent to a colleague.
    this.#dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
    addEventListener("hashchange", () => this.#openLinked());
    this.#openLinked();
    at("copy").addEventListener("click", () => this.#copy());
    // A click beside the drawer closes it.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  #openLinked() {
    const id = new URLSearchParams(location.hash.slice(1)).get("transaction");
    if (id && !(this.#dialog.open && this.#asked === id)) this.open(id);
  }

  async open(id) {
    this.#asked = id;
    history.replaceState(null, "", `#${new URLSearchParams({ transaction: id })}`);
    at("title").textContent = format.visible(id);
    at("copied").textContent = "";
    at("curl").textContent = this.#curl(id);
    this.#fill({ events: [], latest: [] }, "Loading …");
    if (!this.#dialog.open) this.#dialog.showModal();
    try {
      const answer = await fetch(`${this.#urls.story}?${new URLSearchParams({ transaction_id: id })}`);
      const body = await answer.json();
      if (this.#asked === id) answer.ok ? this.#fill(body, "") : this.#fill({ events: [], latest: [] }, body.detail);
    } catch {
      if (this.#asked === id) at("problem").textContent = "The server does not answer.";
    }
  }

  #fill(story, problem) {
    at("problem").textContent = problem;
    const where = story.rejected ? "rejected" : story.id === null ? "Redis: it waits for the flush" : `PostgreSQL: row ${story.id}`;
    const facts = story.user === undefined ? {} : {
      Customer: story.name ? `${format.visible(story.name)} (${story.user})` : String(story.user), Amount: format.whole(story.amount), Status: format.status(story.status),
      "Happened": format.moment(story.created_at), "Kept in": where,
      ...(story.batch ? { Flush: `batch ${story.batch.id}, ${format.whole(story.batch.length)} records` } : {}),
    };
    at("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => pair(name, value)));
    at("events").replaceChildren(...story.events.map(({ what, at: when }) => item(when ? `${what}: ${format.moment(when)} ${format.zoneName()}` : `${what}: not yet`)));
    at("latest").replaceChildren(...story.latest.map((each) => this.#other(each)));
    at("hits-title").hidden = !story.hits?.length;
    at("hits").replaceChildren(...(story.hits ?? []).map(found));
    at("payload").textContent = story.payload ?? "";
    at("page").href = story.urls?.page ?? this.#urls.transactions;
    at("customer").hidden = !story.urls?.customer;
    at("customer").href = story.urls?.customer || "#";
    at("user").href = story.user === undefined ? this.#urls.transactions : `${this.#urls.transactions}?user=${story.user}`;
  }

  #other(each) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = format.visible(each.transaction_id);
    button.addEventListener("click", () => this.open(each.transaction_id));
    const line = item(` – ${format.whole(each.amount)}, ${format.status(each.status)}, ${format.moment(each.created_at)}`);
    line.prepend(button);
    return line;
  }

  #curl(id) {
    const url = `${location.origin}${this.#urls.api.replace(/\/?$/, "/")}${encodeURIComponent(id)}/`;
    return `curl -H "Authorization: Bearer $TOKEN" '${url.replaceAll("'", "%27")}'`;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(at("curl").textContent);
      at("copied").textContent = "copied";
    } catch {
      getSelection().selectAllChildren(at("curl"));
      at("copied").textContent = "selected: copy it with the keyboard";
    }
  }
}

function found(hit) {
  const said = [hit.why, hit.suppressed && `no alert: ${hit.suppressed.toLowerCase()}`].filter(Boolean);
  const line = item(said.map((text) => ` – ${text}`).join(""));
  const rule = document.createElement(hit.url ? "a" : "span");
  rule.textContent = hit.rule;
  if (hit.url) rule.href = hit.url;
  line.prepend(rule);
  return line;
}

function item(text) {
  const line = document.createElement("li");
  line.append(text);
  return line;
}

function pair(name, value) {
  const box = document.createElement("div");
  box.append(document.createElement("dt"), document.createElement("dd"));
  box.firstChild.textContent = name;
  box.lastChild.textContent = value;
  return box;
}
