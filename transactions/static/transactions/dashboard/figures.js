// Asks the server for figures again and again, while somebody looks at the page.
const TIMEOUT_MS = 15_000;

// Until the server says how often, and while it says nothing.
const POLL_S = 5;

// Calls `told` with each answer and `failed` with why there is none, what the server said, and its status.
export function poll(url, told, failed) {
  let timer = 0, again = POLL_S;
  const ask = async () => {
    clearTimeout(timer);
    timer = 0;
    if (!document.hidden) await once(url, (body) => {
      again = body.again_seconds;
      told(body);
    }, failed);
    clearTimeout(timer);
    timer = setTimeout(ask, 1000 * again * (0.9 + 0.2 * Math.random()));
  };
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  ask();
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
