// What a check throws when it does not hold, and the small questions that every check asks.

/** Numbers above this one would lose digits. */
export const MOST = Number.MAX_SAFE_INTEGER; // 2^53 − 1

/** A check that does not hold; its message says what, and where. */
export class Wrong extends Error {}

/** How a value is shown in a message: short, and with nothing invisible in it. */
export function shown(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 90 ? `${text.slice(0, 90)}…` : text;
}

/** An object with exactly these keys. */
export function object(value, names, where) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Wrong(`${where} is not an object`);
  for (const name of names) {
    if (!Object.hasOwn(value, name)) throw new Wrong(`${where} lacks the key ${shown(name)}`);
  }
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw new Wrong(`${where} has the unknown key ${shown(name)}`);
  }
  return value;
}

export function list(value, where) {
  if (!Array.isArray(value)) throw new Wrong(`${where} is not a list`);
  return value;
}

export function integer(value, where, least = 0, most = MOST) {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new Wrong(`${where} is ${shown(value)}, and not an integer from ${least} to ${most}`);
  }
  return value;
}

export function text(value, where, form = null) {
  if (typeof value !== "string" || (form && !form.test(value))) {
    throw new Wrong(`${where} has not the right form: ${shown(value)}`);
  }
  return value;
}

export function same(found, wanted, where) {
  if (found !== wanted) throw new Wrong(`${where} is ${shown(found)}, and should be ${shown(wanted)}`);
}

/** Unix seconds of a time written `YYYY-MM-DDTHH:MM:SSZ`. */
export function moment(value, where) {
  text(value, where, /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/);
  const milliseconds = Date.parse(value);
  // Writing it again shows days and hours that there are not, which some engines would carry over.
  const again = Number.isNaN(milliseconds) ? "" : new Date(milliseconds).toISOString();
  if (again !== value.replace("Z", ".000Z") || value.startsWith("0000")) {
    throw new Wrong(`${where} is not a real time: ${value}`);
  }
  return milliseconds / 1000;
}
