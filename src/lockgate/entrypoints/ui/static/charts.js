// Draws a rollout's evidence and weight. Natural logarithms come in; the axis shows the e-values themselves, in powers of ten.
"use strict";

(() => {
  const LOW = -4; // powers of ten: what lies lower or higher is told apart by nobody, and would squeeze the rest
  const HIGH = 6;
  const charts = new Map();
  let axis = "at";
  let data = null;

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => [token("--water"), token("--second"), token("--third"), token("--good")];
  const power = (ln) => (ln === null ? null : Math.min(Math.max(ln / Math.LN10, LOW), HIGH));
  const SUPER = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const spelt = (y) => (y === 0 ? "1" : y === 1 ? "10" : y === 2 ? "100" : `10${[...String(y)].map((c) => SUPER[c]).join("")}`);
  // Times in UTC, as everywhere on these pages: the finer the ticks, the finer the time.
  const clock = (at, apart) => {
    const text = new Date(at * 1000).toISOString();
    return apart >= 86400 ? text.slice(0, 10) : text.slice(11, apart >= 60 ? 16 : 19);
  };
  const evalue = (_, y) => (y === null ? "–" : y >= HIGH ? "> 10⁶" : y <= LOW ? "< 10⁻⁴" : Number((10 ** y).toPrecision(3)).toLocaleString("en"));

  // A dashed line where the verdict falls.
  const boundary = (at, colour) => ({
    hooks: {
      draw: [(chart) => {
        const y = Math.round(chart.valToPos(at, "y", true));
        const { left, width } = chart.bbox;
        const context = chart.ctx;
        context.save();
        context.strokeStyle = colour();
        context.lineWidth = 1.5 * devicePixelRatio;
        context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        context.beginPath();
        context.moveTo(left, y);
        context.lineTo(left + width, y);
        context.stroke();
        context.restore();
      }],
    },
  });

  // While nobody points at the chart, its legend tells the latest values.
  const tellLatest = (chart) => { if (chart.cursor.idx === null || chart.cursor.idx === undefined) chart.setLegend({ idx: chart.data[0].length - 1 }, false); };
  const latest = { hooks: { ready: [tellLatest], setData: [tellLatest], setCursor: [tellLatest] } };

  const axes = (left) => {
    const line = { stroke: token("--muted"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 }, font: '13px "Source Sans 3", system-ui, sans-serif' };
    const x = { ...line, size: 34, space: 80, values: axis === "at" ? (_, ticks, __, ___, apart) => ticks.map((tick) => clock(tick, apart)) : (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")) };
    return [x, { ...line, ...left }];
  };

  const common = (element, height, low, high, left, series, plugins) => ({
    width: element.clientWidth,
    height,
    padding: [10, 14, 0, 0],
    scales: { x: { time: axis === "at" }, y: { range: (_, min, max) => [Math.min(low, min ?? low), Math.max(high, max ?? high)] } },
    axes: axes(left),
    series: [{ label: axis === "at" ? "time" : "requests", value: (_, x) => (x === null ? "–" : axis === "at" ? `${new Date(x * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC` : x.toLocaleString("en")) }, ...series],
    plugins: [...plugins, latest],
    cursor: { sync: { key: "rollout" }, points: { size: 7 }, drag: { x: true, y: false } },
    legend: { live: true },
  });

  const powers = { size: 58, splits: (_, __, min, max) => {
    const step = Math.ceil((max - min) / 7) || 1;
    const found = [];
    for (let y = Math.ceil(min); y <= max; y += 1) if (y % step === 0) found.push(y);
    return found;
  }, values: (_, ticks) => ticks.map(spelt) };

  const draw = (id, height, low, high, left, lines, plugins, x = data[axis]) => {
    const element = document.getElementById(id);
    if (!element) return;
    const columns = [x, ...lines.map((line) => line.values)];
    const key = `${axis} ${lines.map((line) => line.label).join(" ")}`;
    const known = charts.get(id);
    if (known && known.key === key && known.element === element) {
      known.chart.setData(columns);
      return;
    }
    known?.chart.destroy();
    element.replaceChildren();
    const series = lines.map(({ values, ...line }) => line);
    charts.set(id, { key, element, chart: new uPlot(common(element, height, low, high, left, series, plugins), columns, element) });
  };

  const percents = { size: 58, values: (_, ticks) => ticks.map((tick) => `${tick} %`) };
  const DASHES = [[], [8, 3], [2, 3], [10, 3, 2, 3]];
  const told = (_, y) => (y === null ? "–" : `${Number(y.toPrecision(3))} %`);

  // A contest's shares stand in the page itself: there is one for each change.
  const drawShares = () => {
    const place = document.getElementById("shares-now");
    if (!place) return;
    const { at, ...arms } = JSON.parse(place.dataset.series);
    const palette = colours();
    const paths = uPlot.paths.stepped({ align: 1 });
    const lines = Object.entries(arms).map(([label, values], index) => ({ label, values: values.map((share) => 100 * share), stroke: palette[index % palette.length], dash: DASHES[(index + Math.floor(index / palette.length)) % DASHES.length], width: 2, paths, value: told, points: { show: false } }));
    draw("chart-shares", 200, 0, 50, percents, lines, [], at);
    document.getElementById("shares").dataset.drawn = String(at.length);
  };

  const drawAll = () => {
    const palette = colours();
    const names = Object.keys(data.safe);
    const colour = (name) => palette[Math.max(names.indexOf(name), 0) % palette.length];
    const dash = (name) => DASHES[Math.max(names.indexOf(name), 0) % DASHES.length];
    const line = (group) => (name) => ({ label: name, values: data[group][name].map(power), stroke: colour(name), dash: dash(name), width: 1.75, value: evalue, spanGaps: true, points: { show: false } });
    const sum = { label: "sum", values: data.harm.all.map(power), stroke: token("--ink"), width: 2.5, value: evalue, spanGaps: true, points: { show: false } };
    const harm = data.bounds.harm / Math.LN10;
    const safe = data.bounds.safe / Math.LN10;
    draw("chart-harm", 260, -1, harm + 0.6, powers, [sum, ...Object.keys(data.harm).filter((name) => name !== "all").map(line("harm"))], [boundary(harm, () => token("--bad"))]);
    draw("chart-safe", 260, -1, safe + 0.6, powers, names.map(line("safe")), [boundary(safe, () => token("--good"))]);
    const stepped = uPlot.paths.stepped({ align: 1 });
    const share = { label: "share", values: data.weight.map((w) => 100 * w), stroke: token("--water"), fill: token("--water-soft"), width: 2, paths: stepped, value: told, points: { show: false } };
    draw("chart-weight", 130, 0, 5, percents, [share], []);
  };

  const redraw = () => {
    for (const { chart } of charts.values()) chart.destroy();
    charts.clear();
    if (data) drawAll();
    drawShares();
  };

  const load = async () => {
    const place = document.getElementById("charts");
    if (!place) return;
    const answer = await fetch(place.dataset.series);
    if (!answer.ok) return;
    data = await answer.json();
    drawAll();
    place.dataset.drawn = String(data.rows);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-axis]");
    if (!button) return;
    axis = button.dataset.axis;
    for (const one of document.querySelectorAll("button[data-axis]")) one.setAttribute("aria-pressed", String(one === button));
    redraw();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id !== "live") return;
    load();
    drawShares();
  });
  let pending = null;
  window.addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      for (const { chart, element } of charts.values()) chart.setSize({ width: element.clientWidth, height: chart.height });
    }, 100);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  load();
  drawShares();
})();
