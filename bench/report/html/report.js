"use strict";

// Plots, their legends, and a table that sorts and filters. The data are in the page; nothing is fetched.

const options = {
  renderer: "svg",
  mode: "vega-lite",
  actions: false,
  ast: true, // expressions are interpreted, so that the page's policy can forbid eval
  defaultStyle: false,
  tooltip: { theme: "report", disableDefaultStyle: true, id: "vg-tooltip-element" },
};

function switches(figure) {
  return [...figure.querySelectorAll("input[data-group]")];
}

async function draw(plot) {
  const panel = plot.closest(".panel");
  const spec = JSON.parse(panel.querySelector("script").textContent);
  const values = spec.params.find((param) => param.name === "shown");
  const { view } = await vegaEmbed(plot, spec, options);
  return { plot, view, values: values ? values.value : [] };
}

function connect(figure, panels) {
  for (const box of switches(figure)) {
    box.addEventListener("change", () => toggle(box));
  }
  const zoom = figure.querySelector(".zoom input");
  zoom?.addEventListener("change", () => {
    const top = Number(zoom.checked ? zoom.dataset.near : zoom.dataset.whole);
    for (const { view } of panels) view.signal("ymax", top).runAsync();
  });
  for (const box of figure.querySelectorAll(".switch input")) {
    box.addEventListener("change", () => {
      for (const { view } of panels) view.signal(box.dataset.signal, box.checked).runAsync();
    });
  }
  const reading = figure.querySelector(".reading");
  for (const { plot } of panels) readByKeys(plot, reading);
}

// A gamma that is switched off in one plot is off in all.
function toggle(changed) {
  const { group } = changed.dataset;
  for (const { figure, panels } of drawn) {
    if (figure.dataset.group !== group) continue;
    const boxes = switches(figure);
    for (const box of boxes) if (box.value === changed.value) box.checked = changed.checked;
    for (const { view, values } of panels) {
      view.signal("shown", values.filter((_, i) => boxes[i].checked)).runAsync();
    }
  }
}

// Arrow keys move over the points of a plot; the label of a point is shown below the plot and read aloud.
function readByKeys(plot, reading) {
  let at = -1;
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  plot.addEventListener("keydown", (event) => {
    const points = [...plot.querySelectorAll("path[role=graphics-symbol][aria-label]")];
    if (points.length === 0) return;
    if (event.key in steps) at = Math.min(points.length - 1, Math.max(0, at + steps[event.key]));
    else if (event.key === "Home") at = 0;
    else if (event.key === "End") at = points.length - 1;
    else return;
    event.preventDefault();
    mark(plot, points[at]);
    reading.textContent = points[at].getAttribute("aria-label");
  });
  plot.addEventListener("blur", () => {
    mark(plot, null);
    reading.textContent = "";
  });
}

function mark(plot, point) {
  plot.querySelector(".at")?.classList.remove("at");
  point?.classList.add("at");
}

function sortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  headers.forEach((header, column) => {
    header.querySelector("button")?.addEventListener("click", () => {
      const down = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      // A gap (text among numbers) stays last in both sort orders.
      const numeric = [...body.rows].some((row) => row.cells[column].dataset.value !== undefined);
      const gap = (row) => numeric && row.cells[column].dataset.value === undefined;
      const rows = [...body.rows].sort(
        (a, b) => gap(a) - gap(b) || (down ? -1 : 1) * compare(key(a, column), key(b, column)),
      );
      body.append(...rows);
    });
  });
}

function filterable(table, input, count) {
  const rows = [...table.tBodies[0].rows];
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const texts = [...row.cells].map((cell) => cell.textContent);
      const text = [...texts, row.dataset.find].join(" ").toLowerCase();
      row.hidden = !words.every((word) => matches(text, word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} cells`;
  });
}

// "T8" is a whole word, so that it does not find T80; any other word may be anywhere.
function matches(text, word) {
  return /^[ts]\d+$/.test(word) ? ` ${text} `.includes(` ${word} `) : text.includes(word);
}

const drawn = [];

async function start() {
  const table = document.getElementById("cells-table");
  sortable(table);
  filterable(table, document.getElementById("filter"), document.getElementById("count"));
  for (const figure of document.querySelectorAll(".chart")) {
    const panels = await Promise.all([...figure.querySelectorAll(".plot")].map(draw));
    drawn.push({ figure, panels });
    connect(figure, panels);
  }
  document.documentElement.dataset.ready = "yes";
}

start();
