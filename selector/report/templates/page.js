(function () {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  let all = null;
  const numbers = () => { all = all || read("numbers"); return all; };
  const root = document.documentElement;
  const drawn = new Map();  // element id -> draw()

  // A string that begins with -- names a colour of the style sheet; only colours may begin so, for texts come escaped into figures.
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim() || name;
  const resolved = (value) => {
    if (typeof value === "string") return /^--[a-z0-9-]+$/.test(value) ? colour(value) : value;
    if (Array.isArray(value)) return value.length > 500 && typeof value[0] === "number" ? value : value.map(resolved);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner)]));
    return value;
  };
  const merged = (base, over) => {
    const out = { ...base };
    for (const [key, value] of Object.entries(over || {})) {
      const both = value && out[key] && typeof value === "object" && typeof out[key] === "object" && !Array.isArray(value);
      out[key] = both ? merged(out[key], value) : value;
    }
    return out;
  };
  const axis = { gridcolor: "--grid", zerolinecolor: "--line", linecolor: "--line", tickcolor: "--line", fixedrange: true, automargin: true };
  const look = () => ({
    paper_bgcolor: "--none", plot_bgcolor: "--none", font: { color: "--ink", family: "system-ui, sans-serif", size: 13 },
    margin: { l: 60, r: 26, t: 10, b: 48 }, xaxis: axis, yaxis: axis, hovermode: "closest", dragmode: false,
    hoverlabel: { bgcolor: "--raised", bordercolor: "--line", font: { color: "--ink" } },
    legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0, xanchor: "left", bgcolor: "--none", traceorder: "normal" },
  });
  // A long title of an axis goes over several lines where the screen is narrow.
  const broken = (text, room) => {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines[lines.length - 1] && `${lines[lines.length - 1]} ${word}`.length > room) lines.push(word);
      else lines[lines.length - 1] += lines[lines.length - 1] || !word ? ` ${word}` : word;
    }
    return lines.join("<br>");
  };
  const draw = (id, figure, config) => {
    const layout = merged(look(), figure.layout);
    const place = document.getElementById(id), keys = figure.data.filter((one) => one.name && one.showlegend !== false).length;
    if (place.clientWidth < 520 && keys > 1 && figure.layout.showlegend !== false && !place.dataset.taller) {
      place.dataset.taller = "yes";  // the legend is a column there
      place.style.height = `${place.clientHeight + 18 * keys}px`;
    }
    const room = Math.max(16, Math.floor(place.clientWidth * .62 / 7.5));  // letters of a line
    if (root.dataset.printing) layout.width = place.clientWidth;  // of the sheet: it is drawn before the sheet is laid out
    if (layout.xaxis.title) layout.xaxis.title = { ...layout.xaxis.title, text: broken(layout.xaxis.title.text, room) };
    for (const key of Object.keys(figure.layout)) if (/^[xy]axis\d+$/.test(key)) layout[key] = merged(axis, figure.layout[key]);
    return Plotly.react(id, resolved(figure.data), resolved(layout), { responsive: true, displayModeBar: false, displaylogo: false, ...config });
  };

  const watch = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) { watch.unobserve(one.target); start(one.target.id); }
  }, { rootMargin: "600px" });
  const waiting = new Map();
  const start = (id) => {
    if (!waiting.has(id)) return;
    const make = waiting.get(id);
    waiting.delete(id);
    drawn.set(id, make);
    make();
  };
  const later = (id, make) => { waiting.set(id, make); watch.observe(document.getElementById(id)); };
  for (const [id, figure] of Object.entries(figures)) later(id, () => draw(id, figure));
  const redraw = () => drawn.forEach((make) => make());
  let theme;  // paper is light, whatever the screen was
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    root.dataset.printing = "yes";
    redraw();
    [...waiting.keys()].forEach(start);
  });
  window.addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    delete root.dataset.printing;
    redraw();
    for (const id of drawn.keys()) Plotly.Plots.resize(id);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  const say = (text) => { document.getElementById("said").textContent = text; };
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
    say(`${root.dataset.theme} theme`);
  });
  document.getElementById("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.getElementById("numbers").textContent], { type: "application/json" }));
    link.download = "numbers.json";
    link.click();
    URL.revokeObjectURL(link.href);
    say("numbers saved as numbers.json");
  });
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; } catch {
        getSelection().selectAllChildren(code);  // no right to the clipboard: the text is marked, and the keys copy it
        button.textContent = "Marked";
      }
      say(button.textContent);
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  for (const button of document.querySelectorAll(".sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), table = head.closest("table"), place = [...head.parentElement.children].indexOf(head);
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => { const cell = row.children[place]; return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent; };
      const empty = (value) => value === "–";
      const rows = [...table.tBodies[0].rows].map((row, number) => [key(row), number, row]);
      rows.sort(([a, i], [b, j]) => {
        if (empty(a) !== empty(b)) return empty(a) ? 1 : -1;  // what is not known stays last
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
        return (up ? order : -order) || i - j;
      });
      table.tBodies[0].append(...rows.map(([, , row]) => row));
      say(`sorted by ${button.textContent}, ${up ? "ascending" : "descending"}`);
    });
  }

  window.selectorPage = { numbers, later, draw, colour, say };
})();
