// On a phone the figures of a page are a list of their titles, the first two open: six screens became two.
const SHOWN_AT_ONCE = 2;

if (matchMedia("(max-width: 48rem)").matches) {
  document.querySelectorAll("details.fg-fold").forEach((fold, at) => {
    fold.open = at < SHOWN_AT_ONCE;
  });
}
