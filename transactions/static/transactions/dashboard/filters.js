// The live table's filters: read from the form, kept in the page's URL, and checked.
import { readMoney, typedMoney } from "./typed_money.js";

const NAMES = ["status", "user", "min", "max"];
const STATUSES = ["", "PENDING", "SUCCESS", "FAILED"];

// What the URL has of an amount: whole numbers of the smallest unit, which a colleague reads in their own locale.
const WHOLE = /^\d{1,19}$/;
const AMOUNTS = ["min", "max"];
// Somebody who types a name is waited for.
const TYPING_MS = 300;

// Calls `changed` with a test for records and the server's names for what is wanted, {} for everything;
// now and whenever the filters change. `keyOf` leads from a customer's whole name to their key.
export function bindFilters(form, problem, keyOf, changed) {
  let turn = 0;
  const query = new URLSearchParams(location.search);
  for (const name of NAMES) form.elements[name].value = query.get(name) ?? "";
  for (const name of AMOUNTS) {
    const given = query.get(name) ?? "";
    if (WHOLE.test(given)) form.elements[name].value = typedMoney(given);
  }
  const badStatus = !STATUSES.includes(query.get("status") ?? "") && query.get("status");
  if (badStatus) form.elements.status.value = "";

  const tell = (wrong) => {
    for (const name of NAMES) form.elements[name].setAttribute("aria-invalid", name in wrong);
    problem.textContent = Object.values(wrong).join(" ");
    return Object.keys(wrong).length > 0;
  };
  const read = () => {
    turn += 1;
    const typed = Object.fromEntries(NAMES.map((name) => [name, form.elements[name].value.trim()]));
    const [given, wrong] = inSmallestUnit(typed);
    if (tell(wrong)) return;
    if (given.user && !KEY.test(given.user)) return void find(given, turn);
    remember(given);
    changed(matcher(given), wanted(given));
  };
  const find = async (given, own) => {
    await new Promise((later) => setTimeout(later, TYPING_MS));
    if (own !== turn) return;
    let user = "", wrong = UNKNOWN(given.user);
    try { user = await keyOf(given.user); } catch { wrong = UNTOLD; }
    if (own !== turn || (!user && tell({ user: wrong }))) return;
    remember(given);
    changed(matcher({ ...given, user }), wanted({ ...given, user }));
  };
  form.addEventListener("input", read);
  form.addEventListener("reset", () => setTimeout(read));
  form.addEventListener("submit", (event) => event.preventDefault());
  read();
  if (badStatus) problem.textContent = `There is no status ${badStatus.slice(0, 40)}: every status is shown.`;
}

const KEY = /^\d{1,18}$/;
const UNKNOWN = (name) => `A customer is a number or a whole name: nobody is called “${name.slice(0, 40)}”.`;
const UNTOLD = "Who that customer is cannot be told now.";

// What was typed, its amounts as strings of digits; and by field what is wrong with it.
function inSmallestUnit(typed) {
  const given = { ...typed }, wrong = {};
  for (const name of AMOUNTS) {
    try {
      given[name] = typed[name] && String(readMoney(typed[name]));
    } catch (error) {
      wrong[name] = error.message;
    }
  }
  if (given.min && given.max && !wrong.min && !wrong.max && BigInt(given.min) > BigInt(given.max)) {
    wrong.max = "The amounts end before they begin.";
  }
  return [given, wrong];
}

function matcher({ status, user, min, max }) {
  const least = min ? BigInt(min) : null;
  const most = max ? BigInt(max) : null;
  return (record) =>
    (!status || record.status === status) &&
    (!user || String(record.user) === String(BigInt(user))) &&
    (least === null || BigInt(record.amount) >= least) &&
    (most === null || BigInt(record.amount) <= most);
}

function wanted({ status, user, min, max }) {
  const whole = (text) => text && String(BigInt(text));
  const all = { status, user: whole(user), amount_min: whole(min), amount_max: whole(max) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

function remember(given) {
  const query = new URLSearchParams(location.search);
  for (const name of NAMES) given[name] ? query.set(name, given[name]) : query.delete(name);
  keep(query);
}

// Puts one more choice of the page into its URL; an empty one is taken out.
export function rememberOne(name, value) {
  const query = new URLSearchParams(location.search);
  value ? query.set(name, value) : query.delete(name);
  keep(query);
}

function keep(query) {
  const text = query.toString();
  // The open drawer stands behind the #.
  history.replaceState(null, "", `${text ? `?${text}` : location.pathname}${location.hash}`);
}
