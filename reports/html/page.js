// The page is whole without this: it only switches the theme, filters and sorts.
"use strict";
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
for (const input of document.querySelectorAll("input[data-table]")) {
  const rows = document.getElementById(input.dataset.table).tBodies[0].rows;
  input.addEventListener("input", () => {
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(input.value.toLowerCase());
    }
  });
}
for (const head of document.querySelectorAll("th[data-sort]")) {
  head.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const up = head.dataset.sort !== "up";
    const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
    const order = (a, b) => (isNaN(a) || isNaN(b) || a === "" || b === "" ? String(a).localeCompare(b) : a - b);
    head.dataset.sort = up ? "up" : "down";
    body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * order(key(a), key(b))));
  });
}
