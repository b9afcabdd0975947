// Keeps the unread badge of every page up to date. Without it the badge is right when the page was made.

import { listen } from "./live.js";

const ADDRESS = "/inbox/live/";
const badges = document.querySelectorAll("[data-inbox-unread]");

function show(unread) {
  for (const badge of badges) {
    badge.hidden = !unread;
    const count = badge.querySelector("[data-inbox-count]");
    if (count) count.textContent = unread || "0";
  }
}

/** Asks the site; shows what is unread and answers what to listen with, null when signed out. */
async function ask() {
  const answer = await fetch(ADDRESS, { headers: { Accept: "application/json" } });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(`${ADDRESS} answers ${answer.status}`);
  const { unread, token, last } = await answer.json();
  show(unread);
  return { token, last };
}

let timer = 0;

/** Asks within `spread` seconds, so that a crowd told at once does not ask at once. */
function askSoon(spread) {
  if (timer) return;
  timer = setTimeout(
    () => {
      timer = 0;
      ask().catch(() => {});
    },
    Math.random() * spread * 1_000,
  );
}

if (badges.length) {
  listen({
    getToken: ask,
    events: { inbox: ({ spread = 0 }) => askSoon(spread), resync: () => askSoon(5) },
  });
}
