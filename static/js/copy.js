// Copies the value beside a button. The button appears only where copying works; the value can always be selected.

function ready(box) {
  if (navigator.clipboard) box.classList.add("copy--ready");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy] .copy__button");
  if (!button) return;
  const label = button.querySelector("[data-copy-label]");
  const before = label.textContent;
  await navigator.clipboard.writeText(button.closest("[data-copy]").querySelector("[data-copy-value]").textContent.trim());
  label.textContent = button.dataset.copied;
  button.closest("[data-copy]").querySelector("[role=status]").textContent = button.dataset.copied;
  setTimeout(() => {
    label.textContent = before;
  }, 1800);
});

function prepare(root) {
  for (const box of root.querySelectorAll("[data-copy]:not(.copy--ready)")) {
    ready(box);
    const voice = document.createElement("span");
    voice.className = "visually-hidden";
    voice.setAttribute("role", "status");
    box.append(voice);
  }
}

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.target));
