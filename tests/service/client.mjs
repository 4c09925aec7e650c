// A client that uses a bundle as the service does, written only from the serving contract.
//
// Usage: node client.mjs keys < JSON list of titles            → JSON list of the keys looked up
//        node client.mjs predict X.onnx < JSON list of careers → JSON list of the displayed values
//        node client.mjs latency X.onnx < JSON list of careers → {p50_ms, p95_ms, p99_ms, calls}
import { readFileSync } from "node:fs";

const TABLE = {
  sr: "senior", "sr.": "senior",
  jr: "junior", "jr.": "junior",
  mgr: "manager", "mgr.": "manager",
  eng: "engineer", "eng.": "engineer",
  dev: "developer",
  swe: "software engineer",
  pm: "product manager",
  vp: "vice president",
  cto: "chief technology officer",
  ceo: "chief executive officer",
  cfo: "chief financial officer",
  coo: "chief operating officer",
};

function key(title) {
  return title
    .toLowerCase()
    .trim()
    .replace(/\s+/g, " ")
    .replace(/[^\w\s.]/g, "")
    .split(" ")
    .map((word) => TABLE[word] || TABLE[word.replace(/\.$/, "")] || word)
    .join(" ")
    .replace(/\./g, "");
}

function calibrate(probability, { breakpoints, values, minX, maxX }) {
  if (probability <= minX) return values[0];
  if (probability >= maxX) return values[values.length - 1];
  let upper = 1;
  while (breakpoints[upper] < probability) upper += 1;
  const share = (probability - breakpoints[upper - 1]) / (breakpoints[upper] - breakpoints[upper - 1]);
  return values[upper - 1] + share * (values[upper] - values[upper - 1]);
}

async function open(model) {
  const ort = await import("onnxruntime-node");
  const read = (suffix) => JSON.parse(readFileSync(model.replace(/\.onnx$/, suffix), "utf-8"));
  const session = await ort.default.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  return { ort: ort.default, session, vocabulary: read("-vocab.json"), calibration: read("-calibration.json") };
}

function run({ ort, session }, ids) {
  return session.run({
    title_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
    lengths: new ort.Tensor("int64", BigInt64Array.from([BigInt(ids.length)]), [1]),
  });
}

function ids({ vocabulary }, career) {
  const known = vocabulary.title_to_idx;
  return career.map((title) => (Object.hasOwn(known, key(title)) ? known[key(title)] : 0));
}

async function predict(opened, career) {
  const titleIds = ids(opened, career);
  const out = await run(opened, titleIds);
  const logits = out.next_role_logits.data;
  let best = 0;
  for (let i = 1; i < logits.length; i += 1) if (logits[i] > logits[best]) best = i;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - logits[best]);
  const confidence = calibrate(1 / sum, opened.calibration);
  const [low, high] = out.tenure_pred.data;
  const min = Math.max(1, Math.round(low));
  return {
    ids: titleIds,
    next_role: opened.vocabulary.idx_to_title[String(best)] ?? "<UNK>",
    probability: 1 / sum,
    confidence,
    low_confidence: confidence < 0.6,
    tenure: [min, Math.max(min, Math.round(high))],
    hireability: Math.round(100 * out.hireability.data[0]),
  };
}

async function latency(opened, careers) {
  const encoded = careers.map((career) => ids(opened, career));
  const times = [];
  const calls = 500;
  for (let call = -20; call < calls; call += 1) {
    const began = performance.now();
    await run(opened, encoded[Math.abs(call) % encoded.length]);
    if (call >= 0) times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(calls - 1, Math.floor(share * calls))];
  return { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), calls };
}

const [what, model] = process.argv.slice(2);
const input = JSON.parse(readFileSync(0, "utf-8"));
let output;
if (what === "keys") {
  output = input.map(key);
} else {
  const opened = await open(model);
  if (what === "latency") output = await latency(opened, input);
  else {
    output = [];
    for (const career of input) output.push(await predict(opened, career));
  }
}
process.stdout.write(JSON.stringify(output));
