// Moves <progress data-progress="address"> along with long work on the server, and loads the page anew at its end.
// The address answers {is_over, percent, text}. Without it the page is loaded by hand.

const PAUSE = 1000;
const LONGEST_PAUSE = 15_000;
const SIGNED_OUT = [401, 403, 404];

function follow(bar) {
  const frame = bar.parentElement;
  const text = frame.querySelector("[data-progress-text]");
  const percent = frame.querySelector("[data-progress-percent]");
  let pause = PAUSE;

  const say = (words) => {
    // Only what is new: a screen reader says each change.
    if (text.textContent !== words) text.textContent = words;
  };

  async function ask() {
    if (document.hidden) return; // visibilitychange comes back here
    try {
      const response = await fetch(bar.dataset.progress, { headers: { Accept: "application/json" } });
      if (SIGNED_OUT.includes(response.status)) {
        say(bar.dataset.progressGone);
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      const state = await response.json();
      bar.value = state.percent;
      if (percent) percent.textContent = `${state.percent} %`;
      say(state.text);
      if (state.is_over) {
        location.reload();
        return;
      }
      pause = PAUSE;
    } catch {
      say(bar.dataset.progressLost);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
    timer = setTimeout(ask, pause);
  }

  let timer = setTimeout(ask, PAUSE / 2);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) ask();
  });
}

document.querySelectorAll("progress[data-progress]").forEach(follow);
