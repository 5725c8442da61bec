// Numbers, money and times as people read them, every time in the one chosen zone.
let zone = "UTC";
let formats = {};

export function zoneName() { return zone; }

// Whether `name` is a zone; from then on times are in it.
export function setZone(name) {
  try {
    const part = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: name, hourCycle: "h23", ...options });
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    formats = {
      time: part({ ...clock, fractionalSecondDigits: 1 }),
      clock: part(clock),
      minute: part({ hour: "2-digit", minute: "2-digit" }),
      hour: part({ weekday: "short", hour: "2-digit", minute: "2-digit" }),
      day: part({ day: "numeric", month: "short" }),
      stretch: part({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
      // As all pages write it: 2026-03-14 09:26:53.
      moment: new Intl.DateTimeFormat("sv-SE", {
        timeZone: name, year: "numeric", month: "2-digit", day: "2-digit", ...clock,
      }),
    };
    zone = name;
    return true;
  } catch {
    return false;
  }
}

const formatted = (kind) => (moment) => (moment ? formats[kind].format(new Date(moment)) : "–");
export const time = formatted("time");
export const clock = formatted("clock");
export const minute = formatted("minute");
export const hour = formatted("hour");
export const day = formatted("day");
export const stretch = formatted("stretch");
export const moment = formatted("moment");

// The day of a moment in the chosen zone, as in 2026-03-14.
export function dayOf(moment) {
  const parts = { year: "numeric", month: "2-digit", day: "2-digit" };
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, ...parts }).format(moment);
}

const isNone = (value) => value === null || value === undefined;

// A whole number of any size, given as a number or as a string of digits.
export function whole(value) { return isNone(value) ? "–" : BigInt(value).toLocaleString("en"); }

// As short as an axis needs it: 10K, 1M; from 10¹⁵ on, where such words end, by its power of ten: 5 × 10¹⁹.
export function brief(value) {
  const power = powerOf(value);
  return power >= POWERS_FROM ? powerOfTen(value, power) : Number(value).toLocaleString("en", { notation: "compact" });
}
const POWERS_FROM = 15;
function powerOf(value) { return Math.floor(Math.log10(Math.abs(value))); }
function powerOfTen(value, power) {
  const leading = decimal(value / 10 ** power, 1), digits = [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `${leading === "1" ? "" : `${leading} × `}10${digits.join("")}`;
}

export function decimal(value, digits) {
  return isNone(value) ? "–" : Number(value).toLocaleString("en", { maximumFractionDigits: digits });
}

// Something a second: two digits that tell something, whole from 10.
export function rate(value) {
  const digits = value < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 0 };
  return Number(value).toLocaleString("en", digits);
}

// --- Money. Amounts are whole numbers of the smallest unit, of any size: numbers, BigInts or strings of digits.
// They are shown in the currency and in the locale that the page's frame names, as `money.py` shows them; without a
// currency as plain numbers, like all that is no money: in the pages' own English.

const { currency = "", decimals: places = "", locale: viewers = "" } = document.getElementById("page")?.dataset ?? {};
export const CURRENCY = currency, DECIMALS = currency ? Number(places) : 0;

// A format of money in the viewer's locale. Digits are grouped from a thousand on, in locales that begin later too: so
// does the server.
const LOCALE = currency ? viewers || undefined : "en";
export function inLocale(options) {
  return new Intl.NumberFormat(LOCALE, { numberingSystem: "latn", useGrouping: "always", ...options });
}
const style = currency ? { style: "currency", currency } : {};
const inFull = inLocale({ ...style, minimumFractionDigits: DECIMALS, maximumFractionDigits: DECIMALS });
const inBrief = inLocale({ ...style, notation: "compact" });

// What stands at amounts of which that is not said: the currency, else that they are in the smallest unit.
export const UNIT = currency || "smallest unit";

// 123456 is €1,234.56. Exact, however large: what is formatted is a text, and never a float.
export function money(smallest) { return isNone(smallest) ? "–" : inFull.format(plainMoney(smallest)); }

// The same for files that programs read: 1234.56; "" of none.
export function plainMoney(smallest) {
  if (isNone(smallest)) return "";
  const whole = BigInt(smallest).toString();
  if (DECIMALS === 0) return whole;
  const padded = whole.padStart(DECIMALS + 1, "0");
  return `${padded.slice(0, -DECIMALS)}.${padded.slice(-DECIMALS)}`;
}

// As short as an axis needs it, of an amount that may be a float; from where such words end, by its power of ten.
export function moneyBrief(smallest) {
  const value = smallest / 10 ** DECIMALS, power = powerOf(value);
  if (power >= POWERS_FROM) return [powerOfTen(value, power), currency].filter(Boolean).join("\u00a0");
  return inBrief.format(value);
}

// --- Shares and durations

export function percent(share) { return isNone(share) ? "–" : `${decimal(100 * share, 1)}\u00a0%`; }

export function seconds(count) {
  if (isNone(count)) return "–";
  if (count < 120) return `${decimal(count, count < 10 ? 1 : 0)} s`;
  return count < 7200 ? `${decimal(count / 60, 0)} min` : `${decimal(count / 3600, 1)} h`;
}

// What cannot be seen, or turns the direction of writing, as the page's frame has it from the server.
function oneOf(name, flags) {
  const ranges = (document.getElementById("page")?.dataset[name] ?? "").split(" ").filter(Boolean);
  return new RegExp(`[${ranges.map((range) => range.replace(/[0-9a-f]+/g, "\\u{$&}")).join("")}]`, flags);
}
const UNSEEN = oneOf("unseen", "gu"), PICTURE = oneOf("pictures", "u"), JOINED = oneOf("joined", "u");

// Whether the signs beside a joiner or a selector look otherwise by it, as encodings.py says it.
function isAtWork(mark, before, after) {
  if (mark === "\ufe0f") return PICTURE.test(before) || (/^[#*0-9]$/.test(before) && after === "\u20e3");
  if (mark === "\u200d" && PICTURE.test(after)) return PICTURE.test(before) || before === "\ufe0f";
  return (mark === "\u200c" || mark === "\u200d") && JOINED.test(before) && JOINED.test(after);
}

// A text from outside; what cannot be seen in it is shown by its number.
export function visible(text) {
  return String(text).replace(UNSEEN, (mark, at, whole) => {
    const before = [...whole.slice(Math.max(at - 2, 0), at)].at(-1) ?? "";
    const [after = ""] = whole.slice(at + mark.length, at + mark.length + 2);
    if (isAtWork(mark, before, after)) return mark;
    return `⟨${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

const WORDS = { PENDING: "Pending", SUCCESS: "Succeeded", FAILED: "Failed" };
export function word(name) { return WORDS[name] ?? name; }
