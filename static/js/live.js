// Live updates: one stream of a page, its token renewed, silent while nobody looks.
// Browsers open at most six connections to a site, so a hidden tab gives its stream back and asks on return.
// Where streams don't get through (a proxy that keeps them back, say) the page asks every few seconds instead, and
// tries a stream again now and then. Either way nothing is lost: each frame has a number, and `last` says which was heard.

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;
const MOST_FAILURES = 3; // streams in a row that failed, before the page asks instead
const FIRST_WORD = 10_000; // a stream says something at once; one that doesn't is kept back by somebody
const SILENCE = 45_000; // and every 15 seconds afterwards
const POLL_PAUSE = 4_000;
const STREAM_AGAIN = 60_000;

/**
 * Listen to the topics of a token.
 *
 * `getToken()` answers a fresh token, or `{token, last}` with the number from which on to hear, or null when this page may
 * not listen (any more). `token` and `last` are what the page itself brought. `events` maps names to functions of the
 * data; `events.resync` is called when updates may have been missed: ask the site how things stand. `onState(is)` is told
 * "stream", "poll" or "" as it changes. Returns a function that ends it.
 */
export function listen({ getToken, token = null, last = "", events, url = "/live/", onState = () => {} }) {
  let source = null;
  let timer = 0; // the next attempt
  let watchdog = 0;
  let pollTimer = 0;
  let wait = FIRST_WAIT;
  let failures = 0;
  let ended = false;
  let opening = 0; // the newest attempt; an older one that answers late is ignored
  let polling = 0; // likewise
  let tag = "";
  let pollToken = "";
  let state = "";
  let wasOpen = false;
  let hasSpoken = false; // this stream

  const become = (now) => {
    if (state !== now) onState(now);
    state = now;
  };

  const pass = (name, data) => {
    if (Object.hasOwn(events, name)) events[name](data);
  };

  /** What to listen with; null when there is nothing (any more). */
  async function fresh() {
    const brought = token;
    token = null; // the next opening needs a fresh one: this may have run out
    const answer = brought ?? (await getToken());
    if (!answer || typeof answer === "string") return answer;
    last ||= answer.last ?? "";
    return answer.token;
  }

  const closeStream = () => {
    clearTimeout(timer);
    clearTimeout(watchdog);
    timer = 0;
    opening += 1;
    source?.close();
    source = null;
  };

  const closePoll = () => {
    clearTimeout(pollTimer);
    pollTimer = 0;
    polling += 1;
  };

  const close = () => {
    closeStream();
    closePoll();
    become("");
  };

  const fail = () => {
    closeStream();
    if (ended || document.hidden) return;
    failures += 1;
    if (failures >= MOST_FAILURES) {
      if (!pollTimer) startPolling();
      timer = setTimeout(open, STREAM_AGAIN * (0.75 + Math.random() / 2));
      return;
    }
    become("");
    timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };

  const watch = (time) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(fail, time);
  };

  /** The stream has said something: it gets through. */
  const hear = (name) => (event) => {
    hasSpoken = true;
    watch(SILENCE);
    failures = 0;
    wait = FIRST_WAIT;
    closePoll();
    become("stream");
    if (/^\d+$/.test(event.lastEventId)) last = event.lastEventId;
    if (name === "ping") return;
    let data = {};
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    pass(name, data);
  };

  async function open() {
    if (ended || source || document.hidden) return;
    clearTimeout(timer);
    const attempt = ++opening;
    let current;
    try {
      current = await fresh();
    } catch {
      if (attempt === opening) fail();
      return;
    }
    if (attempt !== opening) return;
    if (!current) {
      stop();
      return;
    }
    pollToken = current;
    const mayHaveMissed = !last;
    hasSpoken = false;
    source = new EventSource(`${url}?token=${encodeURIComponent(current)}&last=${last}`);
    watch(FIRST_WORD);
    if (mayHaveMissed && wasOpen) source.addEventListener("open", () => pass("resync", {}), { once: true });
    wasOpen = true;
    for (const name of new Set([...Object.keys(events), "ping"])) source.addEventListener(name, hear(name));
    // The browser itself comes back after a broken line, with the last id; CLOSED means that it was refused.
    source.addEventListener("error", () => {
      if (!source) return;
      if (source.readyState === EventSource.CLOSED || !hasSpoken) fail();
      else watch(FIRST_WORD * 2);
    });
  }

  function startPolling() {
    const turn = ++polling;
    let pause = POLL_PAUSE;

    const again = () => {
      if (turn === polling && !ended) pollTimer = setTimeout(ask, pause * (0.75 + Math.random() / 2));
    };

    async function ask() {
      if (document.hidden) return;
      try {
        pollToken ||= await fresh();
        if (turn !== polling) return;
        if (!pollToken) {
          stop();
          return;
        }
        const headers = tag ? { "If-None-Match": tag } : {};
        const answer = await fetch(`${url}poll/?token=${encodeURIComponent(pollToken)}&last=${last}`, { headers });
        if (turn !== polling) return;
        if (answer.status === 401) {
          pollToken = "";
        } else if (answer.status !== 304) {
          if (!answer.ok) throw new Error(String(answer.status));
          const { frames, last: newest, resync } = await answer.json();
          if (turn !== polling) return;
          tag = answer.headers.get("ETag") ?? "";
          last = newest;
          if (resync) pass("resync", {});
          for (const frame of frames) pass(frame.event, frame.data);
        }
        pause = POLL_PAUSE;
        become("poll");
      } catch {
        if (turn !== polling) return;
        pause = Math.min(pause * 2, LONGEST_WAIT);
        become("");
      }
      again();
    }

    pollTimer = setTimeout(ask, 0);
  }

  const look = () => {
    if (!document.hidden) {
      open();
    } else if (source || timer || pollTimer) {
      close();
    }
  };

  function stop() {
    ended = true;
    close();
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("pagehide", close);
    window.removeEventListener("pageshow", look);
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close); // an open stream would keep the page out of the back/forward cache
  window.addEventListener("pageshow", look);
  open();
  return stop;
}
