// parallel coordinates: what was tried, and what came of it

const TALL = 360;

function axis(title, values, x, svg) {
  const numeric = values.every(value => typeof value === "number"), top = 46, foot = TALL - 30;
  const distinct = [...new Map(values.map(value => [text(value), value])).values()].sort(byValue);
  const kinds = distinct.map(text), low = Math.min(...values), high = Math.max(...values);
  const even = data.keys.includes(title) && (!numeric || kinds.length <= 12); // one place for each, however far apart
  const share = value => even ? kinds.indexOf(text(value)) / (kinds.length - 1) : (value - low) / (high - low);
  const y = value => foot - (foot - top) * (kinds.length > 1 ? share(value) : .5);
  draw("line", {class: "axis", x1: x, x2: x, y1: top, y2: foot}, svg);
  draw("text", {x, y: 18, "text-anchor": "middle"}, svg).textContent = title;
  const marks = even ? distinct : kinds.length > 1 ? [low, (low + high) / 2, high] : [low];
  if (marks.length <= 24) for (const mark of marks)
    draw("text", {x: x + 7, y: y(mark) + 4}, svg).textContent = even ? text(mark).slice(0, 24) : number(mark);
  return value => `${x} ${y(value).toFixed(1)}`;
}

function parallel() {
  const [key, kind] = JSON.parse($("judge").value || "[null, null]"), list = fitting().filter(run => known(run.results[key]) && (run.kinds[key] ?? null) === kind);
  const keys = [...data.keys.filter(name => name !== "seed" || data.keys.length < 2), key];
  const width = Math.max($("parallel").clientWidth || 0, 130 * keys.length);
  const svg = draw("svg", {viewBox: `0 0 ${width} ${TALL}`, style: `width: ${width}px`, role: "img", "aria-label": `settings of ${list.length} runs, judged by ${key}`});
  $("parallel").replaceChildren(svg);
  if (!list.length) return;
  const value = (run, name) => name === key ? run.results[key] : run.settings[name];
  const axes = keys.map((name, i) => axis(name, list.map(run => value(run, name)), 70 + i * (width - 170) / Math.max(1, keys.length - 1), svg));
  const sorted = list.map(run => run.results[key]).sort((a, b) => lowIsBetter(key) ? b - a : a - b); // the worst first
  const lines = draw("g", {});
  svg.prepend(lines); // labels stay readable
  list.sort((a, b) => sorted.indexOf(a.results[key]) - sorted.indexOf(b.results[key])); // the best is drawn last, on top
  for (const run of list) {
    const good = list.length > 1 ? sorted.indexOf(run.results[key]) / (sorted.length - 1) : 1;
    const points = keys.map((name, i) => axes[i](value(run, name))).join("L");
    const style = `stroke: color-mix(in oklab, var(--best) ${Math.round(100 * good)}%, var(--worst))`;
    const path = draw("path", {d: `M${points}`, style, opacity: isOn(run) ? .35 + .6 * good ** 2 : .15}, lines);
    draw("title", {}, path).textContent = `${run.name} (${run.said}): ${key} ${number(run.results[key])}`;
    path.onpointerenter = () => {
      path.style.strokeWidth = 4;
      $("line").replaceChildren(dot(hueOf(run)), `${run.name} (${run.said}): ${key} ${number(run.results[key])}`);
    };
    path.onpointerleave = () => { path.style.strokeWidth = ""; };
  }
}

const searched = () => data.keys.length > 0 && runs.length > 2 && data.results.length > 0;

function judges() {
  $("search").hidden = !searched();
  const found = data.results.flatMap(key => { // values of one kind at a time
    const kinds = [...new Set(runs.filter(run => known(run.results[key])).map(run => run.kinds[key] ?? null))];
    return kinds.map(kind => [key, kind]);
  });
  const fresh = !$("judge").sign;
  offer($("judge"), found.map(([key, kind]) => [JSON.stringify([key, kind]), known(kind) ? `${key}: ${data.kinds[kind]}` : key]));
  if (fresh) $("judge").selectedIndex = Math.max(0, found.findIndex(([key]) => key === first()));
}

$("judge").onchange = parallel;
