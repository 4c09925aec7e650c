"""What a page looks like in a real browser: each script returns what is wrong with it."""

# Texts of each figure whose boxes overlap by more than a little; rotated tick labels have no simple box.
COLLISIONS = """
() => [...document.querySelectorAll('.figure')].flatMap(figure => {
  const labels = [...figure.querySelectorAll(
    '.legendtext, .annotation-text, .xtitle, .ytitle, .xtick text, .ytick text')]
    .filter(text => !/rotate\\(-?[1-9]/.test(text.getAttribute('transform') ?? '') && text.textContent.trim())
    .map(text => [text.textContent, text.getBoundingClientRect()]);
  const found = [];
  labels.forEach(([a, one], i) => labels.slice(i + 1).forEach(([b, other]) => {
    const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    if (width > 2 && height > 3) found.push(`${figure.id}: ${a} / ${b}`);
  }));
  return found;
})
"""

# Texts that are cut off: those of a figure beyond its sides, and on a phone those of a cell.
CLIPPED = """
() => [
  ...[...document.querySelectorAll('.figure')].flatMap(figure => {
    const {left, right} = figure.getBoundingClientRect();
    return [...figure.querySelectorAll('.legendtext, .annotation-text, .xtitle, .xtick text, .ytick text')]
      .filter(text => text.textContent.trim())
      .filter(text => text.getBoundingClientRect().right > right + 3
        || text.getBoundingClientRect().left < left - 3)
      .map(text => `${figure.id}: ${text.textContent}`);
  }),
  ...(innerWidth > 600 ? [] : [...document.querySelectorAll('main td')])
    .filter(cell => cell.scrollWidth > cell.clientWidth + 1)
    .map(cell => `cell: ${cell.textContent}`),
]
"""

# Elements that go beyond the window's sides and lie in nothing that scrolls.
OFF_SCREEN = """
() => [...document.querySelectorAll('main *, nav *')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !element.closest('.wide, thead');
}).map(element => element.outerHTML.slice(0, 120))
"""

# Contrast of each text's colour with what is behind it, where that is less than 4.5 to 1.
PALE = """
() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => numbers(colour).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('h1, h2, h3, p, td, th, dt, dd, li, a, button, figcaption, label')]
    .filter(element => element.getClientRects().length && element.textContent.trim())
    .flatMap(element => {
      const both = [luminance(getComputedStyle(element).color), luminance(behind(element))];
      const [a, b] = both.sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      return contrast < 4.5 ? [`${contrast.toFixed(1)}: ${element.outerHTML.slice(0, 100)}`] : [];
    });
}
"""
