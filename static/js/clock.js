// The server's clock, for what has to be seen by everybody in the same second. Each word from the server says what time it
// was there when it was sent; it has been on its way since, so the latest of all guesses is the nearest.

let ahead = -Infinity; // milliseconds between the server's clock and the time since this page began

/** The server said that it was `time` (ms since 1970); heard at `at` (ms since the page began). */
export function heard(time, at = performance.now()) {
  if (Number.isFinite(time)) ahead = Math.max(ahead, time - at);
}

/** What time it was there when the page itself was made. */
export function heardFromPage(time) {
  const [page] = performance.getEntriesByType("navigation");
  heard(time, page?.responseStart || performance.now());
}

/** What time it is there; ms since 1970. */
export const serverTime = () => (Number.isFinite(ahead) ? performance.now() + ahead : Date.now());
