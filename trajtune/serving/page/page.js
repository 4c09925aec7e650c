"use strict";

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const drawn = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const form = document.getElementById("form");
const field = document.getElementById("titles");
const button = form.querySelector("button");
const shown = document.getElementById("answer");
let outcomes = { stays_months: null, tenure_is_prior: false, hireability_is_prior: false };

/** A bar from 0 to the share, in a colour for its sign; the number stands beside it. */
const bar = (share) => {
  const svg = drawn("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  const width = Math.min(100, 100 * Math.abs(share));
  svg.append(drawn("rect", { width, height: 1, class: share < 0 ? "less" : "more" }));
  const track = element("span", { class: "track" });
  track.append(svg);
  return element("td", { class: "bar" }, track);
};

/** A table of a title, a number and a bar for each row. */
const table = (heading, unit, rows) =>
  element("table", {},
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, heading),
      element("td", { class: "number" }, unit),
      element("th", { class: "bar", "aria-hidden": "true" }))),
    element("tbody", {}, ...rows.map(([title, text, share]) =>
      element("tr", {}, element("th", { scope: "row" }, title),
        element("td", { class: "number" }, text), bar(share)))));

const facts = (pairs) => element("dl", {}, ...pairs.flatMap(([name, value]) =>
  [element("dt", {}, name), element("dd", {}, value)]));

const hireabilityName = () =>
  outcomes.stays_months === null ? "Hireability" : `Stays ${outcomes.stays_months}+ months`;
const hireability = (of100) => outcomes.stays_months === null ? `${of100} of 100` : `${of100} %`;
const same = (isPrior) => (isPrior ? " (the same for every career)" : "");

const notes = (answer) => [
  ...(answer.unknown_titles || []).map((title) => `The model does not know the title “${title}”.`),
  ...(answer.service_sees || []).map(([title, other]) => other === null
    ? `The service does not find “${title}”.` : `The service reads “${title}” as “${other}”.`),
].map((text) => element("p", { class: "warning" }, text));

const abstention = (answer) => {
  const { tenure_months: months, hireability: share } = answer.priors;
  const parts = [element("p", { class: "next" }, "No prediction"),
    element("p", {}, "The model knows none of these titles.")];
  if (months !== null && share !== null) {
    parts.push(element("h2", {}, "True of all careers in training, whatever their titles"), facts([
      ["Tenure", `${Math.round(months[0])} to ${Math.round(months[1])} months`],
      [hireabilityName(), hireability(Math.round(100 * share))]]));
  }
  return parts;
};

const reasons = ({ contributions }) => {
  if (contributions[0].contribution === null) {
    return [element("p", { class: "small" }, "There is a single role, and without it there is nothing to predict from.")];
  }
  const rows = contributions.map(({ title, contribution }) =>
    [title, `${contribution < 0 ? "−" : "+"}${Math.abs(100 * contribution).toFixed(1)}`, contribution]);
  return [table("Role", "points", rows),
    element("p", { class: "small" }, "Percentage points that each role adds to the probability of the next role; below 0, it takes them away.")];
};

const prediction = (answer) => {
  const pairs = [
    ["Confidence", `${Math.round(100 * answer.confidence)} %${answer.low_confidence ? " (low)" : ""}`],
    ["Tenure", `${answer.shown_min_months} to ${answer.shown_max_months} months${same(outcomes.tenure_is_prior)}`],
    [hireabilityName(), hireability(answer.shown_hireability) + same(outcomes.hireability_is_prior)]];
  if (answer.title_set.length) {
    const more = answer.title_set.length - 10;
    pairs.push(["Likely set", answer.title_set.slice(0, 10).join(", ") + (more > 0 ? ` and ${more} more` : "")]);
  }
  return [element("p", { class: "next" }, answer.next_role), facts(pairs), ...notes(answer),
    element("h2", {}, "Top five, before calibration"),
    table("Next role", "share", answer.top5.map(([title, share]) => [title, percent(share), share])),
    element("h2", {}, "What each role contributes"), ...reasons(answer.explanation)];
};

const ask = async () => {
  const titles = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  button.disabled = true;
  shown.setAttribute("aria-busy", "true");
  let parts;
  try {
    const response = await fetch("predict?explain=true",
      { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(titles) });
    const answer = await response.json();
    if (!response.ok) parts = [element("p", { class: "warning", role: "alert" }, answer.error)];
    else parts = answer.abstained ? abstention(answer) : prediction(answer);
  } catch {
    parts = [element("p", { class: "warning", role: "alert" }, "The server does not answer. Is it still running?")];
  }
  shown.replaceChildren(...parts);
  shown.hidden = false;
  shown.setAttribute("aria-busy", "false");
  button.disabled = false;
};

form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
});

fetch("health").then((response) => response.json()).then((about) => {
  outcomes = about.outcomes;
  document.getElementById("about").textContent =
    `Bundle ${about.bundle}, ${about.titles.toLocaleString("en")} titles, careers known up to ${about.as_of ?? "an unknown day"}. ` +
    "A prediction is a guess from other people’s careers. Do not let it decide about anybody alone.";
  if (!about.gates_passed) {
    const gates = document.getElementById("gates");
    const names = Object.keys(about.gates).filter((name) => !about.gates[name]).map((name) => name.replaceAll("_", " "));
    gates.textContent = `Not every gate passed when this model was made${names.length ? `: ${names.join(", ")}` : ""}.`;
    gates.hidden = false;
  }
}).catch(() => {});
