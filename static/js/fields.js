// Says beside a field what is wrong with it when one leaves it, and before the form is sent; the server checks anyway.
// Words and looks come from components/field_words.html. What was typed stays; a field that is put right is let go.

const SHORTEST_PASSWORD = 10; // as AUTH_PASSWORD_VALIDATORS; the server says which rule else was broken
const words = document.querySelector("template[data-field-words]");
const wrapper = (input) => input.closest(".field");
const touched = new WeakSet();

const isChecked = (input) =>
  words && input.matches?.("input, select, textarea") && !["hidden", "checkbox", "radio", "file", "search"].includes(input.type)
  && wrapper(input) && input.form?.method === "post" && !input.disabled && !input.readOnly;

function complaint(input) {
  const { validity, value } = input;
  if (validity.valueMissing || (input.required && !value.trim())) {
    return input.matches("select") ? words.dataset.choose : words.dataset.empty;
  }
  if (!value) return validity.badInput ? words.dataset.other : "";
  if (input.type === "email") {
    return validity.typeMismatch || !/@[^@\s]+\.[^@\s.]{2,}$/.test(value.trim()) ? words.dataset.email : "";
  }
  if (input.type === "tel") {
    const digits = value.replace(/\D/g, "").length;
    return digits < 5 || digits > 15 || !/^[+\d\s()./-]+$/.test(value.trim()) ? words.dataset.phone : "";
  }
  if (input.autocomplete === "new-password" && [...value].length < SHORTEST_PASSWORD) return words.dataset.short;
  return validity.valid ? "" : words.dataset.other;
}

function describe(input, id, isThere) {
  const ids = new Set((input.getAttribute("aria-describedby") ?? "").split(/\s+/).filter(Boolean));
  if (isThere) ids.add(id);
  else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" "));
  else input.removeAttribute("aria-describedby");
}

// A form's voice: its words are read out without taking the focus away from the field one went on to.
function voiceOf(form) {
  let voice = form.querySelector(":scope > [data-field-voice]");
  if (!voice) {
    voice = document.createElement("p");
    voice.className = "visually-hidden";
    voice.dataset.fieldVoice = "";
    voice.setAttribute("role", "status");
    form.append(voice);
  }
  return voice;
}

function show(input, text) {
  const field = wrapper(input);
  const id = `${input.id}_error`;
  const before = field.querySelector(":scope > .field__error");
  if (text && before?.querySelector("span")?.textContent === text) return;
  before?.remove();
  field.classList.toggle("field--wrong", Boolean(text));
  describe(input, id, Boolean(text));
  if (!text) {
    input.removeAttribute("aria-invalid");
    return;
  }
  const error = words.content.firstElementChild.cloneNode(true);
  error.id = id;
  error.querySelector("span").textContent = text;
  input.after(error);
  input.setAttribute("aria-invalid", "true");
  const label = field.querySelector("label")?.firstChild?.textContent.trim() ?? "";
  voiceOf(input.form).textContent = `${label}: ${text}`;
}

document.addEventListener("input", (event) => {
  const input = event.target;
  if (!isChecked(input)) return;
  touched.add(input);
  // Put right while typing: let go at once. New mistakes wait until one leaves the field.
  if (wrapper(input).classList.contains("field--wrong") && !complaint(input)) show(input, "");
});

// A field is left by pressing something: the error may only push it down once it is let go, or the press would miss it.
let isPressed = false;
let left = null;

function judge(input) {
  if (isPressed) left = input;
  else show(input, complaint(input));
}

document.addEventListener("pointerdown", () => { isPressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => setTimeout(() => {
    isPressed = false;
    if (left) judge(left);
    left = null;
  }), true);
}

document.addEventListener("focusout", (event) => {
  if (isChecked(event.target) && touched.has(event.target)) judge(event.target);
});

document.addEventListener("submit", (event) => {
  if (event.submitter?.formNoValidate) return;
  const wrong = [...event.target.elements].filter((input) => isChecked(input) && complaint(input));
  for (const input of wrong) show(input, complaint(input));
  if (!wrong.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  voiceOf(event.target).textContent = ""; // the field that gets the focus says what is wrong with it
  wrong[0].focus();
}, true);

// Our words instead of the browser's bubbles, where it has the script that says them.
if (words) {
  for (const form of document.forms) {
    const fields = [...form.elements];
    // Where the browser asks for what we don't look at, a tick or a file, it goes on asking.
    if (fields.some(isChecked) && fields.every((input) => !input.required || isChecked(input))) form.noValidate = true;
  }
}
