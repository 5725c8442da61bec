// The drawer: the page of one transaction, without leaving the overview. The server makes both of one template.
import * as format from "./format.js";

const at = (id) => document.getElementById(`drawer-${id}`);
const AWAY = "The server does not answer.";

export class Drawer {
  #dialog = document.getElementById("drawer"); #urls; #asked = "";

  // `closed` is called when the drawer has been closed, and the focus is back where it was, if that is still there.
  constructor(urls, closed) {
    this.#urls = urls;
    at("close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      history.replaceState(null, "", location.pathname + location.search);
      closed();
    });
    // A click beside the drawer closes it; one on another transaction opens that here.
    this.#dialog.addEventListener("click", (event) => this.#click(event));
    // What is open stands behind the # of the URL, which can be sent to a colleague.
    addEventListener("hashchange", () => this.#openLinked());
    this.#openLinked();
  }

  #openLinked() {
    const id = new URLSearchParams(location.hash.slice(1)).get("transaction");
    if (id && !(this.#dialog.open && this.#asked === id)) this.open(id);
  }

  async open(id) {
    this.#asked = id;
    const asked = new URLSearchParams({ transaction_id: id });
    history.replaceState(null, "", `#${new URLSearchParams({ transaction: id })}`);
    at("title").textContent = format.visible(id);
    at("page").href = `${this.#urls.page}?${asked}`;
    this.#show("Loading …");
    if (!this.#dialog.open) this.#dialog.showModal();
    try {
      const answer = await fetch(`${this.#urls.story}?${asked}`);
      const [told, problem] = answer.ok ? [await answer.text(), ""] : ["", (await answer.json()).detail ?? AWAY];
      if (this.#asked === id) this.#show(problem, told);
    } catch {
      if (this.#asked === id) this.#show(AWAY);
    }
  }

  // `told` is the template's markup, in which whatever came from outside is escaped.
  #show(problem, told = "") {
    at("problem").textContent = problem;
    at("story").replaceChildren(...new DOMParser().parseFromString(told, "text/html").body.children);
    this.#dialog.scrollTop = 0;
  }

  #click(event) {
    const other = event.target.closest("[data-transaction]");
    if (event.target === this.#dialog) this.#dialog.close();
    if (!other || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.open(other.dataset.transaction);
    at("close").focus();
  }
}
