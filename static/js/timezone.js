// Fills the hidden time zone of the sign-up form with the browser's own.

for (const field of document.querySelectorAll('input[name="time_zone"][type="hidden"]')) {
  field.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
