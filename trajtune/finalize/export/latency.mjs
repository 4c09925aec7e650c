// Milliseconds of single calls of a model in onnxruntime-node, as the service makes them: batch 1, no padding.
//
// Usage: node latency.mjs X.onnx CALLS WARM_UP FOLDER... < JSON list of careers, each a list of title ids
//        → {"ms": [...], "node": version}, or {} if no FOLDER has onnxruntime-node in reach
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

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

const [model, calls, warmUp, ...folders] = process.argv.slice(2);
const ort = load(folders);
if (ort === null) {
  process.stdout.write("{}");
} else {
  const careers = JSON.parse(readFileSync(0, "utf-8"));
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const ms = [];
  for (let call = -Number(warmUp); call < Number(calls); call += 1) {
    const ids = careers[Math.abs(call) % careers.length];
    const began = performance.now();
    await session.run({
      title_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
      lengths: new ort.Tensor("int64", BigInt64Array.from([BigInt(ids.length)]), [1]),
    });
    if (call >= 0) ms.push(performance.now() - began);
  }
  process.stdout.write(JSON.stringify({ ms, node: process.version }));
}
