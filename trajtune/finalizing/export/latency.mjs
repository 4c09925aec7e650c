// Milliseconds of what the service does for one career, in onnxruntime-node: batch 1, no padding, softmax, sort.
//
// Usage: node latency.mjs X.onnx CALLS WARM_UP ROUNDS AT_ONCE FOLDER... < JSON list of lists of title ids
//        → {"ms": [...], "together_ms": [...], "node": version}, or {} if no FOLDER has onnxruntime-node in reach
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const LONGEST_MS = 10_000; // of each of the two measurements, with many titles
const FEWEST = 20;

function load(folders) {
  for (const folder of folders) {
    try {
      return createRequire(`${folder}/`)("onnxruntime-node");
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return null;
}

const [model, calls, warmUp, rounds, atOnce, ...folders] = process.argv.slice(2);
const ort = load(folders);
if (ort === null) {
  process.stdout.write("{}");
} else {
  const careers = JSON.parse(readFileSync(0, "utf-8"));
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });

  async function predict(ids) {
    const { next_role_logits: logits } = await session.run({
      title_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
      lengths: new ort.Tensor("int64", BigInt64Array.from([BigInt(ids.length)]), [1]),
    });
    const values = Array.from(logits.data);
    const largest = Math.max(...values); // throws above some 110,000 titles, as the service does
    const powers = values.map((value) => Math.exp(value - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    const probabilities = powers.map((power) => power / total);
    return [...probabilities].sort((a, b) => b - a);
  }

  const ms = [];
  const stop = performance.now() + LONGEST_MS;
  for (let call = -Number(warmUp); call < Number(calls) && (ms.length < FEWEST || performance.now() < stop); call += 1) {
    const began = performance.now();
    await predict(careers[Math.abs(call) % careers.length]);
    if (call >= 0) ms.push(performance.now() - began);
  }
  const together = [];
  const last = performance.now() + LONGEST_MS;
  for (let round = 0; round < Number(rounds) && (round === 0 || performance.now() < last); round += 1) {
    const began = performance.now();
    const some = Array.from({ length: Number(atOnce) }, (_, i) => careers[(round + i) % careers.length]);
    await Promise.all(some.map(predict));
    together.push(performance.now() - began);
  }
  process.stdout.write(JSON.stringify({ ms, together_ms: together, node: process.version }));
}
