// The check beside the page, so that the page stays awake: it is sent two files and answers with what it finds.

import { verify } from "./verify.js";

/** The blocks of a stream (not every browser can walk through one by itself). */
async function* blocksOf(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer;
}

/** `proof` and `entries` are files, or addresses to fetch them from. */
async function run({ proof, entries, notice, texts }) {
  const document = typeof proof === "string" ? await (await fetched(proof)).arrayBuffer() : await proof.arrayBuffer();
  const source = typeof entries === "string" ? await fetched(entries) : null;
  const size = source ? Number(source.headers.get("Content-Length")) : entries.size;
  let shown = 0;
  const verdict = await verify({
    proof: new Uint8Array(document),
    entries: blocksOf(source ? source.body : entries.stream()),
    size,
    notice,
    texts,
    tell: (check, state, detail) => postMessage({ kind: "check", check, state, detail }),
    progress: (part, done, all) => {
      const hundredths = all ? Math.floor((100 * done) / all) : 0;
      if (hundredths === shown) return;
      shown = hundredths;
      postMessage({ kind: "progress", part, done, all });
    },
  });
  postMessage({ kind: "verdict", verdict });
}

addEventListener("message", ({ data }) => {
  run(data).catch((error) => postMessage({ kind: "failed", detail: String(error?.message ?? error) }));
});
