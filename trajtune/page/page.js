// Opens records in the dialog, and the side bar: open on a wide screen, marking the section that is read. Needs RECORDS.
"use strict";
(() => {
  const dialog = document.querySelector("dialog");
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const open = (name) => {
    const record = RECORDS[name];
    if (!record) return;
    const parts = [];
    for (const [heading, entries] of Object.entries(record.parts)) {
      const list = document.createElement("dl");
      for (const [term, text] of Object.entries(entries)) list.append(element("dt", term), element("dd", text));
      parts.push(element("h3", heading), list);
    }
    dialog.querySelector("h2").textContent = record.title;
    dialog.querySelector("div").replaceChildren(...parts);
    dialog.showModal();
  };
  document.addEventListener("record", (event) => open(event.detail));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.opens");
    if (button) open(button.dataset.record);
  });

  const contents = document.querySelector("nav.side details"), wide = matchMedia("(min-width: 64rem)");
  const unfold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", unfold);
  unfold();
  const links = new Map(Array.from(contents.querySelectorAll("a"), (link) => [link.hash.slice(1), link]));
  contents.addEventListener("click", (event) => { if (event.target.closest("a") && !wide.matches) contents.open = false; });
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  document.querySelectorAll(".card").forEach((card) => seen.observe(card));
})();
