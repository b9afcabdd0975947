// A draw's page goes on by itself: told by a live update, or asking where none came, it follows how the draw stands. The
// winners are shown on the page that is there; for other changes it loads itself anew. Nobody has to press a button to see a draw happen.

import { heard, heardFromPage } from "./clock.js";
import { listen } from "./live.js";
import { startReveal } from "./reveal.js";

const FIRST_WAIT = 2_000;
const FIRST_WAIT_WHILE_TOLD = 10_000; // who hears live updates asks only for the case that one was lost
const LONGEST_WAIT = 30_000;

const shown = document.querySelector("[data-phase]");
const address = `${window.location.pathname}live/`;
let wait = FIRST_WAIT;
let timer = 0;
let isTold = false;
let isRevealing = false;
let stopListening = () => {};

function finish() {
  clearTimeout(timer);
  stopListening();
  showWatching({ count: 0 });
}

function begin(reveal) {
  if (isRevealing) return;
  const began = startReveal(reveal, finish);
  if (!began) {
    window.location.reload(); // it was over before this page heard of it
    return;
  }
  isRevealing = true;
  clearTimeout(timer);
  shown.dataset.phase = "completed";
  shown.removeAttribute("data-moving");
}

/** The drum begins to turn under the eyes of those who wait; they need no other page for that. */
function turnDrum() {
  shown.dataset.phase = "drawing";
  shown.setAttribute("data-moving", "");
  for (const part of document.querySelectorAll("[data-while-waiting]")) part.hidden = true;
  for (const part of document.querySelectorAll("[data-while-drawing]")) part.hidden = false;
}

function take(state) {
  heard(state.now);
  if (isRevealing) return;
  const before = shown.dataset.phase;
  if (state.reveal) begin(state.reveal);
  else if (state.phase === "drawing" && ["closed", "frozen"].includes(before)) turnDrum();
  else if (state.phase !== before) window.location.reload();
}

/** How many look at this page with us; nothing where it is only us. */
function showWatching({ count }) {
  for (const part of document.querySelectorAll("[data-watching]")) {
    const words = part.dataset.watching.replace("{n}", count.toLocaleString(document.documentElement.lang || "en"));
    if (part.textContent !== words) part.textContent = words;
    part.hidden = count < 2;
  }
}

async function ask() {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  const state = await answer.json();
  take(state);
  return state.token ? { token: state.token, last: state.last } : null;
}

let soon = 0;

/** Asks within `spread` seconds, so that a crowd told at once does not ask at once. */
function askSoon({ spread = 2 } = {}) {
  if (soon) return;
  soon = setTimeout(() => {
    soon = 0;
    ask().catch(() => {});
  }, Math.random() * spread * 1_000);
}

async function look() {
  timer = 0;
  if (document.hidden || isRevealing) return;
  await ask().catch(() => {}); // no way there just now: it is asked again
  later();
}

function later() {
  clearTimeout(timer);
  if (isRevealing) return;
  timer = setTimeout(look, wait * (0.5 + Math.random() / 2));
  wait = Math.min(wait * 1.5, LONGEST_WAIT);
}

function startAsking() {
  wait = isTold ? FIRST_WAIT_WHILE_TOLD : FIRST_WAIT;
  later();
}

function watchPhase(state) {
  const isMoving = () => shown.hasAttribute("data-moving");
  heardFromPage(state.now);
  if (state.token) {
    stopListening = listen({
      getToken: ask,
      token: state.token,
      last: state.last,
      onState: (is) => {
        isTold = is !== "";
      },
      events: {
        drawn: (data) => (data.reveal ? begin(data.reveal) : askSoon(data)),
        phase: askSoon,
        presence: showWatching,
        resync: () => askSoon(),
      },
    });
  }
  if (state.reveal) begin(state.reveal);
  else if (isMoving()) startAsking();
  document.addEventListener("countdown:over", ({ detail }) => {
    if (detail.event === "draw" && shown.dataset.phase === "frozen") turnDrum();
    shown.setAttribute("data-moving", "");
    startAsking();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isMoving()) startAsking();
  });
}

const content = document.getElementById("draw-live");
if (shown && content) watchPhase(JSON.parse(content.textContent));
