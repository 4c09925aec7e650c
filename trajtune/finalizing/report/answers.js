// The box that answers a career from ANSWERS: a title is found without regard to case, spaces and punctuation.
(() => {
  const box = document.querySelector(".answers"), input = box.querySelector("input");
  const list = box.querySelector("ol"), answer = box.querySelector(".answer");
  const key = (text) => text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  const ids = new Map();
  Object.keys(ANSWERS.titles).map(Number).sort((a, b) => b - a) // the commonest of equal names is written last
    .forEach((id) => ids.set(key(ANSWERS.titles[id]), id));
  const name = (id) => ANSWERS.titles[id];
  const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;
  const element = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const longest = Object.keys(ANSWERS.careers).filter((each) => new Set(each.split(" ")).size === 3);
  let career = (longest[0] ?? Object.keys(ANSWERS.careers)[0]).split(" ").map(Number);

  const bars = ([top, shares]) => {
    const rows = element("div", "", { className: "bars" });
    top.forEach((id, place) => {
      const bar = element("span", "", { className: "bar" });
      bar.append(element("i", "", { style: `width:${shares[place] / 10}%` }));
      rows.append(element("span", name(id)), bar, element("span", percent(shares[place]), { className: "number" }));
    });
    return rows;
  };
  const shown = () => {
    list.replaceChildren(...career.map((id, place) => {
      const item = element("li", name(id));
      const remove = element("button", "×", { type: "button", className: "plain", ariaLabel: `Remove ${name(id)}` });
      remove.addEventListener("click", () => { career.splice(place, 1); shown(); });
      item.append(" ", remove);
      return item;
    }));
    answer.replaceChildren();
    if (!career.length) return;
    let known = career;
    while (known.length && !ANSWERS.careers[known.join(" ")]) known = known.slice(1);
    if (known.length < career.length) {
      const part = known.length ? `This is the answer for ${known.map(name).join(", then ")} alone. ` : "";
      answer.append(element("p", `This page does not hold the answer for the whole career. ${part}For the whole career: ` +
        `trajtune predict BUNDLE ${career.map((id) => JSON.stringify(name(id))).join(" ")}`, { className: "warning" }));
    }
    if (!known.length) return;
    const found = ANSWERS.careers[known.join(" ")], [, , confidence, [low, high], hireable] = found;
    answer.append(
      element("p", `Next role: ${name(found[0][0])}`, { className: "next" }),
      element("p", `Confidence ${percent(confidence)}${confidence < 1000 * ANSWERS.low ? " (low)" : ""}; ` +
        `tenure ${low} to ${high} months; ${ANSWERS.hireability} ${percent(hireable)}.`),
      element("p", "The five most probable titles, before calibration:", { className: "note" }), bars(found));
  };
  box.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = ids.get(key(input.value));
    if (!input.value.trim()) return;
    if (id === undefined) {
      answer.replaceChildren(element("p", `This page does not know “${input.value}”. Choose a title from the list, ` +
        "or use trajtune predict.", { className: "warning" }));
      return;
    }
    career.push(id);
    input.value = "";
    shown();
  });
  box.querySelector(".clear").addEventListener("click", () => { career = []; shown(); input.focus(); });
  shown();
})();
