// Draws the figures. Needs Plotly, FIGURES and TEMPLATES in the page; a point that is clicked opens its record.
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
      if (key !== undefined && key !== null) document.dispatchEvent(new CustomEvent("record", { detail: String(key) }));
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
  addEventListener("DOMContentLoaded", drawNext);
})();
