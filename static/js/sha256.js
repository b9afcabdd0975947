// SHA-256 (FIPS 180-4) and HMAC (RFC 2104), synchronous: the browser's own digest answers by a promise, which for the
// two million hashes of a large draw takes the better part of a minute. This one takes seconds.

const ROUND = new Int32Array(64);
const START = new Int32Array(8);
const UTF8 = new TextEncoder();

// The constants are the first 32 bits of the fractional parts of the cube and square roots of the first primes (§4.2.2,
// §5.3.3), worked out in whole numbers because a double has too few digits for them.
{
  const root = (value, power) => {
    let low = 0n;
    let high = 1n << 40n;
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** power <= value) low = middle;
      else high = middle;
    }
    return low;
  };
  let found = 0;
  for (let number = 2n; found < 64; number += 1n) {
    let isPrime = true;
    for (let divisor = 2n; divisor * divisor <= number; divisor += 1n) if (number % divisor === 0n) isPrime = false;
    if (!isPrime) continue;
    ROUND[found] = Number(BigInt.asIntN(32, root(number << 96n, 3n)));
    if (found < 8) START[found] = Number(BigInt.asIntN(32, root(number << 64n, 2n)));
    found += 1;
  }
}

const schedule = new Int32Array(64); // one for all: nothing here waits in the middle of a block

/** A running SHA-256. `update` takes bytes, `digestInto` writes the 32 bytes; `reset` makes it as new. */
export class Sha256 {
  constructor() {
    this.state = new Int32Array(8);
    this.block = new Uint8Array(64);
    this.reset();
  }

  reset() {
    this.state.set(START);
    this.length = 0; // bytes so far; a double holds more of them than there are
    this.filled = 0;
    return this;
  }

  /** Take the bytes from `start` to before `end`. */
  update(bytes, start = 0, end = bytes.length) {
    this.length += end - start;
    let at = start;
    if (this.filled) {
      const room = Math.min(64 - this.filled, end - at);
      for (let i = 0; i < room; i += 1) this.block[this.filled + i] = bytes[at + i];
      this.filled += room;
      at += room;
      if (this.filled < 64) return this;
      compress(this.state, this.block, 0);
      this.filled = 0;
    }
    for (; at + 64 <= end; at += 64) compress(this.state, bytes, at);
    for (; at < end; at += 1) this.block[this.filled++] = bytes[at];
    return this;
  }

  /** One byte more. */
  byte(value) {
    this.length += 1;
    this.block[this.filled++] = value;
    if (this.filled === 64) {
      compress(this.state, this.block, 0);
      this.filled = 0;
    }
    return this;
  }

  /** Write the digest at `at` of `out`. After it only `reset` makes sense. */
  digestInto(out, at = 0) {
    const { block, state } = this;
    let { filled } = this;
    block[filled++] = 0x80;
    if (filled > 56) {
      block.fill(0, filled, 64);
      compress(state, block, 0);
      filled = 0;
    }
    block.fill(0, filled, 56);
    const high = Math.floor(this.length / 0x20000000);
    const low = (this.length << 3) >>> 0;
    for (let i = 0; i < 4; i += 1) {
      block[56 + i] = high >>> (24 - 8 * i);
      block[60 + i] = low >>> (24 - 8 * i);
    }
    compress(state, block, 0);
    for (let i = 0; i < 32; i += 1) out[at + i] = state[i >> 2] >>> (24 - 8 * (i & 3));
    return out;
  }

  digest() {
    return this.digestInto(new Uint8Array(32));
  }
}

function compress(state, bytes, at) {
  const w = schedule;
  for (let i = 0; i < 16; i += 1, at += 4) {
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0] + a) | 0;
  state[1] = (state[1] + b) | 0;
  state[2] = (state[2] + c) | 0;
  state[3] = (state[3] + d) | 0;
  state[4] = (state[4] + e) | 0;
  state[5] = (state[5] + f) | 0;
  state[6] = (state[6] + g) | 0;
  state[7] = (state[7] + h) | 0;
}

/** SHA-256 of these parts, one after the other: bytes, or text as UTF-8. */
export function sha256(...parts) {
  const hash = new Sha256();
  for (const part of parts) hash.update(typeof part === "string" ? UTF8.encode(part) : part);
  return hash.digest();
}

/** HMAC-SHA256 with a key of at most 64 bytes. */
export function hmacSha256(key, message) {
  const inner = new Uint8Array(64).fill(0x36);
  const outer = new Uint8Array(64).fill(0x5c);
  for (let i = 0; i < key.length; i += 1) {
    inner[i] ^= key[i];
    outer[i] ^= key[i];
  }
  return sha256(outer, sha256(inner, message));
}

/** Lower-case hex of bytes. */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of lower-case hex of even length; null for anything else. */
export function fromHex(text) {
  if (typeof text !== "string" || text.length % 2 || !/^[0-9a-f]*$/.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
