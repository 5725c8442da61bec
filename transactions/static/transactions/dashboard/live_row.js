// One row of the live table: a transaction, which changes when it is settled, stored, or its customer's name comes.
import { made, pill, wholeId } from "../looks/components.js";
import { renew, say } from "../looks/news.js";
import * as format from "./format.js";

let made_so_far = 0;

// The row of a record. What keys reach of it is the button with the id; what else it says describes that button.
// The customer's name leads a pointer to the page of the customer, among `customers`; keys find it in the drawer.
export function rowOf(record, nameOf, customers) {
  const row = document.createElement("tr"), number = (made_so_far += 1);
  row.record = record;
  const button = made("button");
  button.type = "button";
  button.tabIndex = -1;
  button.append(wholeId(format.visible(record.transaction_id)));
  const customer = made("a", "name");
  customer.href = `${customers}${record.user}/change/`;
  customer.tabIndex = -1;
  const contents = [format.time(record.accepted_at), button, customer, format.money(record.amount), "", ""];
  row.append(...contents.map((content, place) => {
    const cell = made("td");
    cell.id = `live-${number}-${place}`;
    cell.append(content);
    return cell;
  }));
  row.cells[3].className = "number";
  button.setAttribute("aria-describedby", [2, 3, 4, 5].map((place) => row.cells[place].id).join(" "));
  showStatus(row);
  showName(row, nameOf);
  return row;
}

export function buttonOf(row) { return row.cells[1].firstChild; }

// The customer's name; until it has come, and where there is none, the number, which alone would look like a name. Who
// does not exist has no page.
export function showName(row, nameOf) {
  const { user } = row.record, name = nameOf(user), shown = name ? format.visible(name) : `customer ${user}`;
  say(row.cells[2].firstChild, shown);
  row.cells[2].title = name ? `${shown} (${user})` : `Customer ${user}${name === null ? ", who does not exist" : ""}`;
  if (name === null) row.cells[2].firstChild.removeAttribute("href");
}

// Where it is kept: what is up to `stored` is in PostgreSQL, or was refused there.
export function showKept(row, stored, isRefused) {
  say(row.cells[5], isRefused ? "× rejected" : row.record.seq <= stored ? "● stored" : "○ waiting");
}

// What became of it since; it stands out for a moment.
export function change(row, record) {
  row.record = { ...record, accepted_at: row.record.accepted_at };
  say(row.cells[3], format.money(record.amount));
  showStatus(row);
  row.classList.remove("changed");
  requestAnimationFrame(() => row.classList.add("changed"));
}

function showStatus(row) {
  const { status } = row.record;
  renew(row.cells[4], [pill(format.word(status), status)]);
}
