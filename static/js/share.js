// Pass a page on: the device's own sheet where there is one, else its address is copied. The links beside need no script.

for (const button of document.querySelectorAll("[data-share-button]")) {
  if (navigator.share) button.textContent = button.dataset.sheet;
  button.hidden = !navigator.share && !navigator.clipboard;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-share-button]");
  if (!button) return;
  const { title, address } = button.closest("[data-share]").dataset;
  if (navigator.share) {
    // Closing the sheet without sharing rejects the promise; that is no error.
    await navigator.share({ title, url: address }).catch(() => {});
    return;
  }
  const status = button.parentElement.querySelector("[data-share-status]");
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    status.className = "text-s"; // it may not copy here: show the address to be copied by hand
    status.textContent = address;
    return;
  }
  const before = button.textContent;
  if (before === button.dataset.copied) return;
  button.textContent = button.dataset.copied;
  status.textContent = button.dataset.copied;
  setTimeout(() => {
    button.textContent = before;
    status.textContent = "";
  }, 1800);
});
