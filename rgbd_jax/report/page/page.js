"use strict";

// ---- tables that a click, or the Enter key, on a column's name sorts
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const isNumber = header.dataset.kind === "number";
      const current = header.getAttribute("aria-sort");
      // Text and class numbers begin with the first, figures with the largest.
      const first = isNumber && column > 0 ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = current === first ? other : first;
      headers.forEach((cell) => cell.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [row, row.cells[column].dataset.value ?? ""]);
      rows.sort(([, a], [, b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (isNumber ? Number(a) - Number(b) : a.localeCompare(b));
      });
      body.append(...rows.map(([row]) => row));
    });
  });
}

// ---- the confusion matrix: what is at the pointer or at the place that the arrow keys go to
{
  // The rows are classes; the columns are these too, and maybe one for what was taken for none.
  const { classes, rows } = JSON.parse(document.getElementById("confusion").textContent);
  const matrix = document.getElementById("matrix");
  const cells = document.getElementById("cells");
  const cursor = cells.querySelector(".cursor");
  const readout = document.getElementById("cell");
  const labels = [matrix.querySelector(".rows").children, matrix.querySelector(".columns").children];
  const last = [rows.length - 1, classes.length - 1];
  let place = null;

  const countOf = (row, column) => {
    const found = rows[row];
    for (let i = 0; i < found.length; i += 2) if (found[i] === column) return found[i + 1];
    return 0;
  };
  const show = (row, column) => {
    if (place) place.forEach((number, axis) => labels[axis][number].classList.remove("on"));
    place = [row, column];
    place.forEach((number, axis) => labels[axis][number].classList.add("on"));
    const side = cells.clientWidth / classes.length;
    cursor.hidden = false;
    cursor.style.left = `${column * side}px`;
    cursor.style.top = `${row * side}px`;
    const total = rows[row].reduce((sum, value, i) => (i % 2 ? sum + value : sum), 0);
    const count = countOf(row, column);
    const share = total ? `${((100 * count) / total).toFixed(1)} % of the class` : "the class has no samples";
    const taken = column < rows.length ? `taken for ${classes[column]}` : classes[column];
    const what = row === column ? "recognised" : taken;
    readout.textContent = `${classes[row]}, ${what}: ${count} of ${total} (${share})`;
  };
  const clamp = (number, axis) => Math.min(Math.max(number, 0), last[axis]);
  const pointAt = (event) => {
    const box = cells.getBoundingClientRect();
    const side = box.width / classes.length;
    show(clamp(Math.floor((event.clientY - box.top) / side), 0), clamp(Math.floor((event.clientX - box.left) / side), 1));
  };
  cells.addEventListener("pointermove", pointAt);
  cells.addEventListener("pointerdown", pointAt);
  const reveal = () => cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
  cells.addEventListener("focus", () => {
    if (!cells.matches(":focus-visible")) return; // by pointer, which shows its own place
    if (!place) show(0, 0);
    reveal();
  });
  const moves = {
    ArrowUp: ([row, column]) => [row - 1, column],
    ArrowDown: ([row, column]) => [row + 1, column],
    ArrowLeft: ([row, column]) => [row, column - 1],
    ArrowRight: ([row, column]) => [row, column + 1],
    Home: ([row]) => [row, 0],
    End: ([row]) => [row, last[1]],
  };
  cells.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    show(...move(place ?? [0, 0]).map(clamp));
    reveal();
  });

  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const side = parseFloat(getComputedStyle(matrix).getPropertyValue("--cell"));
      const wanted = side * (button.dataset.zoom > 0 ? 1.25 : 0.8);
      matrix.style.setProperty("--cell", `${Math.min(Math.max(Math.round(wanted), 4), 48)}px`);
      if (place) show(...place);
    });
  }
}
