// Numbers and times as people read them, every time in the one chosen zone.
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
      moment: new Intl.DateTimeFormat("sv-SE", { timeZone: name, year: "numeric", month: "2-digit", day: "2-digit", ...clock }),
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
export function dayOf(moment) { return new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(moment); }

// A whole number of any size, given as a number or as a string of digits.
export function whole(value) { return value === null || value === undefined ? "–" : BigInt(value).toLocaleString("en"); }

// As short as an axis needs it: 10k, 1M.
export function brief(value) { return Number(value).toLocaleString("en", { notation: "compact" }); }

export function decimal(value, digits) {
  return value === null || value === undefined ? "–" : Number(value).toLocaleString("en", { maximumFractionDigits: digits });
}

// Something a second: two digits that tell something, whole from 10.
export function rate(value) {
  return Number(value).toLocaleString("en", value < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 0 });
}

export function percent(share) { return share === null || share === undefined ? "–" : `${decimal(100 * share, 1)} %`; }

export function seconds(count) {
  if (count === null || count === undefined) return "–";
  if (count < 120) return `${decimal(count, count < 10 ? 1 : 0)} s`;
  return count < 7200 ? `${decimal(count / 60, 0)} min` : `${decimal(count / 3600, 1)} h`;
}

// Marks that turn the direction of writing or cannot be seen, shown by their numbers.
export function visible(text) {
  return String(text).replace(/[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (mark) => `⟨${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

const WORDS = { PENDING: "Pending", SUCCESS: "Succeeded", FAILED: "Failed" };
export function word(name) { return WORDS[name] ?? name; }
