(function () {
  "use strict";
  const home = document.getElementById("map-view"), { draw, later, colour, say, numbers } = window.selectorPage;
  if (!home) return;
  const atlas = numbers().atlas, GRID = 10000, MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "x"];
  const canvas = document.createElement("canvas");
  const kind = canvas.getContext("webgl2") || canvas.getContext("webgl") ? "scattergl" : "scatter";  // without WebGL slower, not empty
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const sides = [...home.querySelectorAll("[data-side]")], sets = [...home.querySelectorAll("[data-set]")];
  const panel = document.getElementById("map-panel"), chooser = document.getElementById("map-cluster");
  let side = sides.find(pressed).dataset.side, view = null, chosen = null;

  const look = (number) => {
    const one = atlas.sets[number], place = atlas.sets.slice(0, number).filter((other) => other.kind === "subset").length;
    if (one.kind === "pool") return { colour: "--pool", symbol: "circle", sign: "●", size: 3, opacity: .75 };
    if (one.kind === "random") return { colour: "--random", symbol: "circle-open", sign: "○", size: one.points.length > 1200 ? 4 : 6, opacity: .9 };
    return { colour: `--series-${place % 6 + 1}`, symbol: MARKS[place % 6], sign: "●■◆▲✚✖"[place % 6], size: one.points.length > 1200 ? 4 : 6, opacity: .85 };
  };
  const signs = () => sets.forEach((button) => {
    const mark = button.querySelector(".mark"), own = look(Number(button.dataset.set));
    mark.textContent = own.sign;
    mark.style.color = pressed(button) ? "inherit" : colour(own.colour);
  });
  const reach = (places) => {  // what is drawn, with a little room around it
    let low = GRID, high = 0;
    for (const place of places) { if (place < low) low = place; if (place > high) high = place; }
    const room = Math.max(50, (high - low) * .05);
    return low > high ? [0, GRID] : [low - room, high + room];
  };
  const whole = () => ({ x: reach(atlas.sides[side].x), y: reach(atlas.sides[side].y) });
  const traces = () => sets.filter(pressed).map((button) => {
    const number = Number(button.dataset.set), one = atlas.sets[number], own = look(number), at = atlas.sides[side];
    return {
      type: kind, mode: "markers", hoverinfo: "none", showlegend: false, points: one.points,
      x: one.points.map((point) => at.x[point]), y: one.points.map((point) => at.y[point]), customdata: one.points,
      marker: { color: own.colour, symbol: own.symbol, size: own.size * (home.clientWidth < 700 ? .75 : 1), opacity: own.opacity },
    };
  });
  // Names of the largest clusters, none over another.
  const labels = () => {
    const kept = [], span = (view.x[1] - view.x[0]) / GRID, rise = (view.y[1] - view.y[0]) / GRID;
    for (const one of atlas.sides[side].clusters) {
      if (one.x === null || one.x < view.x[0] || one.x > view.x[1] || one.y < view.y[0] || one.y > view.y[1]) continue;
      const wide = 115 * one.name.length * span * (home.clientWidth < 700 ? 2.2 : 1), high = 330 * rise;
      if (kept.some((other) => Math.abs(other.x - one.x) < (wide + other.wide) / 2 && Math.abs(other.y - one.y) < high)) continue;
      const edge = one.x - wide / 2 < view.x[0] ? "left" : one.x + wide / 2 > view.x[1] ? "right" : "center";
      kept.push({ ...one, wide, edge });
      if (kept.length === (home.clientWidth < 700 ? 8 : 22)) break;
    }
    return kept.map((one) => ({
      x: one.edge === "left" ? view.x[0] : one.edge === "right" ? view.x[1] : one.x, y: one.y, xanchor: one.edge, text: escaped(one.name), showarrow: false, bgcolor: "--label", borderpad: 1,
      font: { size: one.cluster === chosen ? 14 : 11, color: "--ink", weight: one.cluster === chosen ? 700 : 400 },
    }));
  };
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const make = () => {
    view = view || whole();
    const bare = { showgrid: false, zeroline: false, showline: false, showticklabels: false, ticks: "", automargin: false, fixedrange: false, title: { text: "" } };
    const figure = { data: traces(), layout: {
      xaxis: { ...bare, range: [...view.x] }, yaxis: { ...bare, range: [...view.y] }, margin: { l: 4, r: 4, t: 4, b: 4 },
      dragmode: "pan", annotations: labels(), uirevision: side, hoverdistance: 12,
    } };
    draw("map-plot", figure, { scrollZoom: true, doubleClick: false });
    signs();
  };

  const line = (tag, text) => { const made = document.createElement(tag); made.textContent = text; made.dir = "auto"; return made; };
  const told = (point) => {
    const cluster = atlas.sides[side].cluster[point], known = atlas.sides[side].clusters.find((one) => one.cluster === cluster);
    const parts = [line("h4", `row ${atlas.ids[point]}${atlas.source.length ? `, ${atlas.sources[atlas.source[point]]}` : ""}${known ? `, in ${known.name}` : ""}`)];
    for (const [name, texts] of Object.entries(atlas.texts)) if (texts.length) parts.push(line("h4", name), line("p", texts[point]));
    return parts;
  };
  const show = (title, points) => {
    panel.replaceChildren(line("h3", title), ...points.flatMap(told));
  };
  const choices = () => {
    chooser.replaceChildren(new Option("choose one…", ""), ...atlas.sides[side].clusters.map((one) => new Option(`${one.name} (${one.rows.toLocaleString("en")})`, one.cluster)));
  };
  chooser.addEventListener("change", () => {
    chosen = chooser.value === "" ? null : Number(chooser.value);
    const one = atlas.sides[side].clusters.find((other) => other.cluster === chosen);
    if (!one) return;
    if (one.x !== null) view = { x: [one.x - 1400, one.x + 1400], y: [one.y - 1400, one.y + 1400] };
    show(`${one.name}: ${one.rows.toLocaleString("en")} rows`, one.examples);
    make();
    say(`${one.name}: ${one.rows} rows; ${one.examples.length} of them are in the panel`);
  });
  const toggle = (button) => button.setAttribute("aria-pressed", String(!pressed(button)));
  sets.forEach((button) => button.addEventListener("click", () => { toggle(button); make(); }));
  sides.forEach((button) => button.addEventListener("click", () => {
    sides.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    side = button.dataset.side; view = null; chosen = null;
    choices();
    make();
  }));
  home.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    const factor = { in: .6, out: 1 / .6, all: 0 }[button.dataset.zoom];
    const closer = ([low, high]) => { const middle = (low + high) / 2, half = Math.min((high - low) / 2 * factor, GRID); return [middle - half, middle + half]; };
    view = factor ? { x: closer(view.x), y: closer(view.y) } : whole();
    make();
  }));

  choices();
  signs();
  later("map-plot", () => {
    make();
    const plot = document.getElementById("map-plot");
    if (plot.dataset.heard) return;  // drawn again in another theme
    plot.dataset.heard = "yes";
    plot.on("plotly_hover", (event) => show("Under the pointer", [event.points[0].customdata]));
    plot.on("plotly_relayout", (event) => {
      if ("xaxis.range[0]" in event || "yaxis.range[0]" in event) {
        const { xaxis, yaxis } = plot._fullLayout;
        view = { x: [...xaxis.range], y: [...yaxis.range] };
        clearTimeout(plot.waiting);
        plot.waiting = setTimeout(make, 120);  // the names that now have room
      }
    });
  });
})();
