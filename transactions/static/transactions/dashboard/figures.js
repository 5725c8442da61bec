// Asks the server for figures again and again, while somebody looks at the page.
const TIMEOUT_MS = 15_000;

// Until the server says how often, and while it says nothing.
const POLL_S = 5;

// Asks `url` (or what it returns) and calls `told` with each answer and `failed` with why there is none, what the server said, and its status;
// every so many seconds, or as often as the server says. Returns what asks at once: what was asked before is then
// not told any more.
export function poll(url, told, failed, every = null) {
  let timer = 0, again = POLL_S, latest = 0;
  const ask = async () => {
    clearTimeout(timer);
    timer = 0;
    const turn = (latest += 1);
    if (!document.hidden) await once(typeof url === "function" ? url() : url, (body) => {
      again = every ?? body.again_seconds;
      if (turn === latest) told(body);
    }, (...why) => turn === latest && failed(...why));
    if (turn !== latest) return;
    timer = setTimeout(ask, 1000 * again * (0.9 + 0.2 * Math.random()));
  };
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  ask();
  return ask;
}

export async function once(url, told, failed) {
  let answer, body;
  try {
    answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    body = await answer.json();
  } catch {
    return failed("The server does not answer.", null);
  }
  answer.ok ? told(body) : failed(body.detail ?? `The server answered ${answer.status}.`, body, answer.status);
}
