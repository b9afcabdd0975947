// Asks before a form with data-confirm="…" is sent. Without it the form is sent at once; the server checks anyway.

const dialog = document.querySelector("[data-confirm-dialog]");
let waiting = null;

document.addEventListener("submit", (event) => {
  const form = event.target;
  const words = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!words || !dialog || form.dataset.confirmed) return;
  event.preventDefault();
  waiting = { form, submitter: event.submitter };
  dialog.querySelector("[data-confirm-text]").textContent = words;
  dialog.returnValue = "no";
  dialog.showModal();
});

dialog?.addEventListener("close", () => {
  if (dialog.returnValue === "yes" && waiting) {
    const { form, submitter } = waiting;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.confirmed;
  }
  waiting = null;
});
