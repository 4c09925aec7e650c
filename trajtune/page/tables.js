// Tables sort by the heading that is pressed, filter by a text, and download as CSV. On a phone each cell has its column's name.
"use strict";
(() => {
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.order !== undefined) return Number(cell.dataset.order);
    const text = cell.textContent.trim();
    return text === "" || text === "not known" ? null : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  const sort = (header, body) => {
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const keyed = Array.from(body.rows, (row) => [key(row, header.cellIndex), row]);
    keyed.sort(([a], [b]) => // what is not known is last, either way
      a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
    body.append(...keyed.map(([, row]) => row));
    header.parentNode.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  };
  const quoted = (value) => {
    const text = /^[=@]/.test(value) ? `'${value}` : value; // a spreadsheet would run a formula
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (table) => {
    const names = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
    const rows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden)
      .map((row) => Array.from(row.cells, (cell) => cell.dataset.order ?? cell.textContent));
    return [names, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  };
  const download = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  document.querySelectorAll("div.table").forEach((box) => {
    const table = box.querySelector("table"), body = table.tBodies[0];
    const names = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
    for (const row of body.rows) Array.from(row.cells).forEach((cell, column) => { cell.dataset.label = names[column]; });
    table.tHead.querySelectorAll("button").forEach((button) =>
      button.addEventListener("click", () => sort(button.closest("th"), body)));
    box.querySelector("button.csv").addEventListener("click", (event) => download(event.target.dataset.name, csv(table)));
    box.querySelector("input")?.addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      }
    });
  });
})();
