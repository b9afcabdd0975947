// Live updates: one server-sent stream of a page, its token renewed, silent while nobody looks.
// Browsers open at most six connections to a site, so a hidden tab gives its stream back and asks on return.

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;

/**
 * Listen to the topics of a token.
 *
 * `getToken()` answers a fresh token, or null when this page may not listen (any more). `events` maps names to
 * functions of the data; `events.resync` is called when updates may have been missed: ask the site how things stand.
 * Returns a function that ends it.
 */
export function listen({ getToken, token = null, events, url = "/live/" }) {
  let source = null;
  let timer = 0;
  let wait = FIRST_WAIT;
  let ended = false;
  let mayHaveMissed = false;
  let opening = 0; // the newest attempt; an older one that answers late is ignored

  const close = () => {
    clearTimeout(timer);
    opening += 1;
    source?.close();
    source = null;
  };

  const later = () => {
    close();
    mayHaveMissed = true;
    if (ended || document.hidden) return;
    timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };

  const hear = (name) => (event) => {
    let data = {};
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    events[name](data);
  };

  async function open() {
    if (ended || source || document.hidden) return;
    const attempt = ++opening;
    let current = token;
    token = null; // the next opening needs a fresh one: this may have run out
    try {
      current ??= await getToken();
    } catch {
      if (attempt === opening) later();
      return;
    }
    if (attempt !== opening) return;
    if (!current) {
      stop();
      return;
    }
    source = new EventSource(`${url}?token=${encodeURIComponent(current)}`);
    source.addEventListener("open", () => {
      wait = FIRST_WAIT;
      if (mayHaveMissed) events.resync?.({});
      mayHaveMissed = false;
    });
    for (const name of Object.keys(events)) source.addEventListener(name, hear(name));
    // The browser itself comes back after a broken line, with the last id; CLOSED means that it was refused.
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) later();
    });
  }

  const look = () => {
    if (!document.hidden) {
      open();
    } else if (source || timer) {
      close();
      mayHaveMissed = true;
    }
  };

  const leave = () => {
    close();
    mayHaveMissed = true;
  };

  function stop() {
    ended = true;
    close();
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", look);
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", leave); // an open stream would keep the page out of the back/forward cache
  window.addEventListener("pageshow", look);
  open();
  return stop;
}
