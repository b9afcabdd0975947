// Messages after an action can be dismissed. They never leave by themselves: some people read slowly.

const boxes = "[data-messages] .toast";

for (const button of document.querySelectorAll(`${boxes} [data-dismiss]`)) button.hidden = false;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-dismiss]");
  if (!button) return;
  const next = button.closest(".toast").nextElementSibling?.querySelector("[data-dismiss]");
  button.closest(".toast").remove();
  (next ?? document.getElementById("main")).focus();
});
