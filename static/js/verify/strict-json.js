// JSON as a proof needs it: read so that nothing is lost or doubled, and written in its one canonical form.
//
// The browser's own reader takes 1.0 for the integer 1, and of a key that is there twice it keeps the last: with both, two
// programs could read two different draws out of one file. So this reads RFC 8259 itself, and refuses what is
// not an integer, not ASCII in a key, or not there once.

import { MOST, Wrong } from "./wrong.js";

const DEEPEST = 200;
const ESCAPED = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;

/** The value in these bytes of UTF-8. Raises `Wrong`. */
export function parseStrictly(bytes) {
  let source;
  try {
    source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Wrong("it is not UTF-8");
  }
  let at = 0;

  const fail = (what) => {
    throw new Wrong(`it is not JSON: ${what} at character ${at + 1}`);
  };
  const skip = (pattern) => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(source);
    at += found.length;
    return found;
  };
  const take = (character) => {
    if (source[at] !== character) fail(`${character} is missing`);
    at += 1;
  };

  const readText = () => {
    take('"');
    let value = "";
    for (;;) {
      value += skip(PLAIN);
      const next = source[at++];
      if (next === '"') break;
      if (next !== "\\") fail("a text does not end");
      const escape = source[at++];
      if (escape === "u") {
        const digits = source.slice(at, at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) fail("an escape is not four hex digits");
        value += String.fromCharCode(parseInt(digits, 16));
        at += 4;
      } else if (Object.hasOwn(ESCAPED, escape ?? "")) value += ESCAPED[escape];
      else fail("there is an unknown escape");
    }
    // Half of a surrogate pair is no character and has no UTF-8.
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) {
      throw new Wrong("a text in it holds half a character");
    }
    return value;
  };

  const readNumber = () => {
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(source)?.[0];
    if (found === undefined) fail("there is no value");
    at += found.length;
    const value = Number(found);
    if (/[.eE]/.test(found) || Math.abs(value) > MOST) throw new Wrong(`a number in it is ${found.slice(0, 60)}`);
    return value === 0 ? 0 : value; // -0 is 0
  };

  const readValue = (depth) => {
    if (depth > DEEPEST) throw new Wrong("it is nested too deeply");
    skip(SPACE);
    const next = source[at];
    let value;
    if (next === "{") {
      value = Object.create(null);
      at += 1;
      skip(SPACE);
      if (source[at] === "}") at += 1;
      else {
        for (;;) {
          skip(SPACE);
          const name = readText();
          if (/[^\u0000-\u007f]/.test(name)) throw new Wrong("a key of an object is not ASCII");
          if (Object.hasOwn(value, name)) throw new Wrong("an object in it has the same key twice");
          skip(SPACE);
          take(":");
          value[name] = readValue(depth + 1);
          if (source[at] === ",") at += 1;
          else break;
        }
        take("}");
      }
    } else if (next === "[") {
      value = [];
      at += 1;
      skip(SPACE);
      if (source[at] === "]") at += 1;
      else {
        for (;;) {
          value.push(readValue(depth + 1));
          if (source[at] === ",") at += 1;
          else break;
        }
        take("]");
      }
    } else if (next === '"') value = readText();
    else if (source.startsWith("true", at)) [value, at] = [true, at + 4];
    else if (source.startsWith("false", at)) [value, at] = [false, at + 5];
    else if (source.startsWith("null", at)) [value, at] = [null, at + 4];
    else value = readNumber();
    skip(SPACE);
    return value;
  };

  const value = readValue(0);
  if (at < source.length) fail("something follows the value");
  return value;
}

/** RFC 8785 of what `parseStrictly` gave: no space, keys sorted, shortest escapes (ECMAScript's are those of the RFC). */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
