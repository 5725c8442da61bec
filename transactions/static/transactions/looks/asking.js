// Asks the server, once or again and again while somebody looks at the page, and says in words why there is no answer.
const TIMEOUT_MS = 15_000;
// Until the server says how often, and while it says nothing.
const POLL_S = 5;
export const FORBIDDEN = 403;

// How an answer that is a page, or a part of one, is read.
export const page = (text) => new DOMParser().parseFromString(text, "text/html");

// Asks `url` and calls `told` with the answer, as `read` makes it of the text; or `failed` with why there is none, and
// {body, status, gone}: what the server said and its status, and whether nobody is there. Who is there may be slow. A
// `part` of the body is the part of the system that does not answer.
export async function once(url, told, failed, read = JSON.parse) {
  const headers = { Accept: read === page ? "text/html" : "application/json" };
  let answer, text;
  try {
    answer = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await answer.text();
  } catch (error) {
    const gone = error.name !== "TimeoutError";
    return failed(gone ? "The server does not answer." : "The server does not answer in time.", { body: null, gone });
  }
  const body = readBy(answer.ok ? read : refusal, text);
  if (answer.ok && body !== null) return told(body);
  failed(body?.detail ?? `The server answered ${answer.status}.`, { body, status: answer.status, gone: false });
}

// The answer of the server to `url`, as JSON; fails with why there is none.
export async function answerOf(url) {
  let answer;
  await once(url, (body) => { answer = body; }, (why) => { throw new Error(why); });
  return answer;
}

// What a refusal says: as JSON, or on our page of what is not there (503.html).
function refusal(text) {
  if (!text.trimStart().startsWith("<")) return JSON.parse(text);
  const told = page(text).getElementById("unavailable");
  return told && { detail: told.dataset.detail, part: told.dataset.part };
}

// A proxy before the server answers in pages of its own.
function readBy(read, text) {
  try { return read(text); } catch { return null; }
}

// Asks `url` (or what it returns) as `once` does, every so many seconds, or as often as the server says; a page in the
// background asks nothing, and at once when somebody looks at it. Returns what asks now: what was asked before is then
// not told any more. With `slowest` each wait is half as long again as the one before, up to that. Where `told` returns
// false, that answer was the last: nothing more is asked.
export function poll(url, told, failed, { every = null, slowest = null, read = JSON.parse } = {}) {
  let timer = 0, again = every ?? POLL_S, latest = 0, asking = false, ended = false;
  const ask = async () => {
    clearTimeout(timer);
    timer = 0;
    if (ended) return;
    const turn = (latest += 1);
    asking = true;
    try {
      if (!document.hidden) await once(typeof url === "function" ? url() : url, (body) => {
        again = every ?? body.again_seconds ?? POLL_S;
        if (turn === latest) ended = told(body) === false;
      }, (...why) => turn === latest && failed(...why), read);
    } finally {
      if (turn === latest) {
        asking = false;
        if (slowest) again = every = Math.min(slowest, again * 1.5);
        // An answer that this page cannot show, of a newer release perhaps, is not the last one.
        if (!ended) timer = setTimeout(ask, 1000 * again * (0.9 + 0.2 * Math.random()));
      }
    }
  };
  // What is asked already answers who comes back: a server that is slow is not asked twice.
  document.addEventListener("visibilitychange", () => document.hidden || asking || ask());
  ask();
  return ask;
}
