// Moves <progress data-progress="address"> along with long work on the server, and loads the page anew at its end.
// The address answers {is_over, percent, text, token, last}. Told by live updates it asks when there is something new, else
// every second. Without it the page is loaded by hand.

import { listen } from "./live.js";

const PAUSE = 1000;
const PAUSE_WHILE_TOLD = 10_000; // for the case that an update was lost
const LONGEST_PAUSE = 15_000;
const SIGNED_OUT = [401, 403, 404];

function follow(bar) {
  const frame = bar.parentElement;
  const text = frame.querySelector("[data-progress-text]");
  const percent = frame.querySelector("[data-progress-percent]");
  let pause = PAUSE;
  let isTold = false;
  let timer = 0;

  const say = (words) => {
    // Only what is new: a screen reader says each change.
    if (text.textContent !== words) text.textContent = words;
  };

  /** Shows how far it is, and answers what to listen with; null where there is nothing (more) to hear. */
  async function look() {
    const response = await fetch(bar.dataset.progress, { headers: { Accept: "application/json" } });
    if (SIGNED_OUT.includes(response.status)) {
      say(bar.dataset.progressGone);
      return null;
    }
    if (!response.ok) throw new Error(String(response.status));
    const state = await response.json();
    bar.value = state.percent;
    if (percent) percent.textContent = `${state.percent} %`;
    say(state.text);
    if (state.is_over) {
      location.reload();
      return null;
    }
    return { token: state.token, last: state.last };
  }

  async function ask() {
    clearTimeout(timer);
    if (document.hidden) return; // visibilitychange comes back here
    try {
      if ((await look()) === null) {
        stopListening();
        return;
      }
      pause = PAUSE;
    } catch {
      say(bar.dataset.progressLost);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
    clearTimeout(timer);
    timer = setTimeout(ask, isTold ? Math.max(pause, PAUSE_WHILE_TOLD) : pause);
  }

  const stopListening = listen({
    getToken: look,
    onState: (is) => {
      isTold = is !== "";
      if (isTold) return;
      clearTimeout(timer);
      timer = setTimeout(ask, pause);
    },
    events: { progress: ask, resync: ask },
  });
  timer = setTimeout(ask, PAUSE / 2);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) ask();
  });
}

document.querySelectorAll("progress[data-progress]").forEach(follow);
