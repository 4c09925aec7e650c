// Draws the figures. Needs Plotly, FIGURES and TEMPLATES in the page; a point that is clicked opens its record.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const PRINTED_WIDTH = 680; // pixels that fit a portrait page
  const template = () => TEMPLATES[dark.matches ? "dark" : "light"];
  const waiting = FIGURES.map((figure, index) => index);
  const divs = FIGURES.map((figure, index) => document.getElementById(`figure-${index + 1}`));

  // On a phone, long titles of axes have several lines, and long names beside bars are shortened.
  const NARROW = 480, LINE = 26, NAME = 30;
  const lines = (text) => text.split(" ").reduce((done, word) =>
    done.length && `${done.at(-1)} ${word}`.length <= LINE ? [...done.slice(0, -1), `${done.at(-1)} ${word}`] : [...done, word], []).join("<br>");
  const short = (name) => name.length > NAME ? `${name.slice(0, NAME - 1).trimEnd()}…` : name;
  const narrowed = (layout, data) => {
    const changed = { ...layout };
    for (const [key, axis] of Object.entries(layout)) {
      if (!/^xaxis\d*$/.test(key) || !axis.title?.text) continue;
      changed[key] = { ...axis, title: { ...axis.title, text: lines(axis.title.text) } };
    }
    const names = [...new Set(data.flatMap((trace) => trace.orientation === "h" ? trace.y : []))];
    if (names.some((name) => typeof name === "string" && name.length > NAME))
      changed.yaxis = { ...layout.yaxis, tickvals: names, ticktext: names.map(short) };
    return changed;
  };

  const draw = (index) => {
    const figure = FIGURES[index];
    const fitted = innerWidth < NARROW ? narrowed(figure.layout, figure.data) : figure.layout;
    const layout = { ...fitted, template: template() };
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
