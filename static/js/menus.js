// Menus are <details>; this closes them on Escape, on a click elsewhere and when focus leaves. They open without it.

const openMenus = () => document.querySelectorAll("details.menu[open]");

// A dialog that asks about something in the menu stands in front of it, not elsewhere.
const isElsewhere = (menu, target) => !menu.contains(target) && !target.closest?.("dialog");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    if (isElsewhere(menu, event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
});

document.addEventListener("focusin", (event) => {
  for (const menu of openMenus()) {
    if (isElsewhere(menu, event.target)) menu.open = false;
  }
});
