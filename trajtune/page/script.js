// Draws the figures, sorts tables, opens records. Needs Plotly, FIGURES, TEMPLATES and RECORDS in the page.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const PRINTED_WIDTH = 680; // pixels that fit a portrait page
  const template = () => TEMPLATES[dark.matches ? "dark" : "light"];
  const waiting = FIGURES.map((figure, index) => index);
  const divs = FIGURES.map((figure, index) => document.getElementById(`figure-${index + 1}`));

  const draw = (index) => {
    const figure = FIGURES[index];
    const layout = { ...figure.layout, template: template() };
    if (touch) layout.dragmode = false; // a finger on a figure scrolls the page
    Plotly.newPlot(divs[index], figure.data, layout, { displaylogo: false, responsive: true, displayModeBar: touch ? false : "hover" });
    divs[index].on("plotly_click", (event) => {
      const point = event.points[0];
      const key = point.data.meta ?? [point.customdata].flat()[0];
      if (key !== undefined && key !== null) open(String(key));
    });
  };
  const drawNext = () => {
    if (waiting.length) { draw(waiting.shift()); setTimeout(drawNext); }
    else document.documentElement.dataset.drawn = "all";
  };
  const drawn = () => divs.filter((div, index) => !waiting.includes(index));

  dark.addEventListener("change", () => drawn().forEach((div) => Plotly.relayout(div, { template: template() })));
  addEventListener("beforeprint", () => {
    while (waiting.length) draw(waiting.shift());
    divs.forEach((div) => Plotly.relayout(div, { template: TEMPLATES.light, width: PRINTED_WIDTH }));
  });
  addEventListener("afterprint", () =>
    divs.forEach((div) => Plotly.relayout(div, { template: template(), width: null, autosize: true })));

  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.order !== undefined) return Number(cell.dataset.order);
    const text = cell.textContent.trim();
    return text === "" || text === "not known" ? null : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  document.querySelectorAll("thead button").forEach((button) => button.addEventListener("click", () => {
    const header = button.closest("th"), body = button.closest("table").tBodies[0];
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const keyed = Array.from(body.rows, (row) => [key(row, header.cellIndex), row]);
    keyed.sort(([a], [b]) => // what is not known stands last, either way
      a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
    body.append(...keyed.map(([, row]) => row));
    header.parentNode.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  }));

  const dialog = document.querySelector("dialog");
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const open = (name) => {
    const record = RECORDS[name];
    if (!record) return;
    const parts = [];
    for (const [heading, entries] of Object.entries(record.parts)) {
      const list = document.createElement("dl");
      for (const [term, said] of Object.entries(entries)) list.append(element("dt", term), element("dd", said));
      parts.push(element("h3", heading), list);
    }
    dialog.querySelector("h2").textContent = record.title;
    dialog.querySelector("div").replaceChildren(...parts);
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.opens");
    if (button) open(button.dataset.record);
  });
  drawNext();
})();
