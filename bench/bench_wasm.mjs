// The search for pages in Node, one thread: bench_wasm.mjs MODULE… The median of several turns, taken
// round robin so that a change of the machine's speed meets all alike.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const TURNS = 9;
const TURN_MS = 250;
const BATCH = 4096;

const subjects = process.argv.slice(2).map((path) => {
  const module = new WebAssembly.Module(readFileSync(path));
  const { exports } = new WebAssembly.Instance(module);
  exports.dpow_prepare(-1n);
  return { name: basename(path), exports, start: 0n, rates: [] };
});

function turn(subject) {
  const begun = performance.now();
  let tried = 0;
  while (performance.now() - begun < TURN_MS) {
    const count = subject.exports.dpow_search(subject.start, BATCH);
    subject.start += BigInt(count);
    tried += count;
  }
  return tried / (performance.now() - begun) / 1000;
}

// The first turn of each is for the compiler.
subjects.forEach(turn);
for (let i = 0; i < TURNS; i++)
  for (const subject of subjects)
    subject.rates.push(turn(subject));
for (const { name, rates } of subjects)
  console.log(name.padEnd(32), rates.sort((a, b) => a - b)[TURNS >> 1].toFixed(2), 'MH/s');
