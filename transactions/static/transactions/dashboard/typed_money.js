// Amounts as people type them in their locale: "10.50" is 1050 of EUR. As `money.py` reads them on the server.
import { CURRENCY, DECIMALS, inLocale, money, plainMoney } from "./format.js";

const AMOUNT_MAX = 2n ** 63n - 1n;
// More than any amount has, grouped.
const CHARACTERS_MAX = 60;
// What groups digits in some locale, and what people type instead of it.
const ALIKE = [/[ \u00a0\u2009\u202f]/g, /['’]/g];

const parts = inLocale({ minimumFractionDigits: 1 }).formatToParts(1234567);
const [GROUP, POINT] = ["group", "decimal"].map((wanted) => parts.find(({ type }) => type === wanted).value);
// Digits before the decimals, grouped by threes, as the locale groups, or not at all.
const [more, last] = inLocale({ maximumFractionDigits: 0 }).formatToParts(123456789012)
  .filter(({ type }) => type === "integer").slice(-2).map(({ value }) => value.length);
const MARK = GROUP.replace(/[.]/, "\\$&");
const GROUPED = new RegExp(`^(?:[0-9]*|${[[3, 3], [more, last]]
  .map(([others, first]) => `[0-9]{1,${others}}(?:${MARK}[0-9]{${others}})*${MARK}[0-9]{${first}}`).join("|")})$`);
const SYMBOL = CURRENCY && inLocale({ style: "currency", currency: CURRENCY }).formatToParts(0)
  .find(({ type }) => type === "currency").value;

// An amount of the smallest unit as a field has it.
export function typedMoney(smallest) { return plainMoney(smallest).replace(".", POINT); }

const example = () => typedMoney(DECIMALS ? 105 * 10 ** (DECIMALS - 1) : 1050);

// What somebody typed, in the smallest unit, a BigInt. Digits may be grouped, and the currency may stand beside them.
// Throws an Error that says what would be right.
export function readMoney(text) {
  const number = inOwnMarks(withoutCurrency(text.trim()));
  const [whole, fraction = "", ...rest] = number.split(POINT);
  if (rest.length > 0 || fraction.includes(GROUP) || !GROUPED.test(whole)) throw new Error(wronglyGrouped());
  const digits = whole.replaceAll(GROUP, "");
  const exact = fraction.replace(/0+$/, "");
  // Also where they are noughts: to somebody of another locale 1.000 is a thousand.
  if (exact.length > DECIMALS || (fraction.length === 3 && DECIMALS < 3)) throw new Error(tooExact());
  const smallest = BigInt(digits + exact.padEnd(DECIMALS, "0"));
  if (smallest > AMOUNT_MAX) throw new Error(`An amount is at most ${money(AMOUNT_MAX)}.`);
  return smallest;
}

// Before the number, behind it, or on both sides.
function withoutCurrency(text) {
  let number = text;
  for (const name of [CURRENCY, SYMBOL].filter(Boolean)) {
    if (number.startsWith(name)) number = number.slice(name.length);
    if (number.endsWith(name)) number = number.slice(0, -name.length);
    number = number.trim();
  }
  return number;
}

// Its digits grouped by the locale's own mark.
function inOwnMarks(text) {
  if (/^[-−–].*[0-9]/.test(text)) {
    throw new Error(`An amount is not negative. Write it without a sign, as in ${example()}.`);
  }
  const alike = ALIKE.find((marks) => GROUP.match(marks));
  const number = alike ? text.replaceAll(alike, GROUP) : text;
  const isNumber = /[0-9]$/.test(number) && [...number].every((sign) => `0123456789${GROUP}${POINT}`.includes(sign));
  if (number.length > CHARACTERS_MAX || !isNumber) {
    throw new Error(`This is no amount. Write digits, as in ${example()}.`);
  }
  return number;
}

function wronglyGrouped() {
  const decimals = DECIMALS ? `, and “${POINT}” begins the decimals` : "";
  return `In your locale “${GROUP}” groups digits${decimals}. Write ${example()}.`;
}

function tooExact() {
  if (!CURRENCY) return `An amount is in the smallest unit, a whole number. Write it as in ${example()}.`;
  const many = DECIMALS === 0 ? "no decimals" : `${DECIMALS} decimals`;
  return `${CURRENCY} has ${many}. Write ${example()}.`;
}
