// curves: some plots side by side, with one range of steps for all of them

const pairs = {
  "losses of D and G": ["loss/discriminator", "loss/generator"],
  "D(x) and D(G(z))": ["D/real", "D/fake"],
  "critic(x) and critic(G(z))": ["critic/real", "critic/fake"],
};
const graphs = Object.create(null);

function findGraphs() {
  const names = [...new Set(runs.flatMap(run => Object.keys(run.curves)))];
  for (const title of Object.keys(graphs)) delete graphs[title];
  for (const [title, pair] of Object.entries(pairs)) if (pair.every(name => names.includes(name))) graphs[title] = pair;
  const costs = names.filter(name => name.startsWith("loss/"));  // of a game of other players
  if (costs.length > 1 && !graphs["losses of D and G"]) graphs["losses of all players"] = costs;
  for (const name of names) { // what minibatches say of the likelihood is another number than what a metric says
    const title = name.replace("metric/", "");
    graphs[title === name && names.includes(`metric/${name}`) ? `${name} of minibatches` : title] = [name];
  }
}

// what stands on the x axis: for each run a function of the step

const axes = {steps: "steps", images: "images seen", seconds: "time of training"};

function places(run) {
  const clock = state.axis === "steps" ? null : run.clock[state.axis];
  if (state.axis === "steps") return step => step;
  if (!clock) return () => null;
  const there = clock[1].map((_, i) => i).filter(i => clock[1][i] !== null);
  return between([0, ...there.map(i => clock[0][i])], [0, ...there.map(i => clock[1][i])]); // from 0 at step 0
}

// the value at a step: on a line between the nearest two, and the last beyond it; null before the first, and beside a null
function between(steps, values) {
  return step => {
    let low = -1, high = steps.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle; else high = middle;
    }
    if (low < 0) return null;
    const x = values[low], y = values[high];
    if (high === steps.length || steps[low] === step) return x;
    return x === null || y === null ? null : x + (y - x) * (step - steps[low]) / (steps[high] - steps[low]);
  };
}

// seconds in a unit that people would use for so many
function unit(most) {
  if (state.axis !== "seconds") return [1, axes[state.axis]];
  const [size, word] = most > 3 * 3600 ? [3600, "hours"] : most > 180 ? [60, "minutes"] : [1, "seconds"];
  return [size, `${axes.seconds}, ${word}`];
}
function atPlace(x) {
  if (state.axis === "steps") return `at step ${whole(x)}`;
  if (state.axis === "images") return `after ${whole(x)} images`;
  return `after ${x >= 3600 ? `${Math.floor(x / 3600)} h ` : ""}${x >= 60 ? `${Math.floor(x / 60) % 60} min ` : ""}${Math.round(x % 60)} s`;
}

const EDGE = {left: 62, right: 14, top: 26, bottom: 44}, HEIGHT = 320;
const plots = [];

function smoothed(values, width) {
  if (!width) return values;
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - width), i + width + 1).filter(known);
    return part.length ? mean(part) : null;
  });
}

// one line for each group: its mean over seeds, with the spread as a band; over time, which no two runs share, one for each run.
// At each step stand all that have begun and got there: not all log the same steps, and long curves are thinned
function series(row, name) {
  const list = row.members.filter(run => run.curves[name]).map(run => {
    const [steps, values] = run.curves[name], place = places(run);
    return {steps, place, xs: steps.map(place), values: smoothed(values, +$("smooth").value), label: run.name};
  }).filter(line => line.xs.length && line.xs.every(known));
  if (list.length < 2 || state.axis === "seconds") return list.map(line => ({...line, row, name}));
  for (const line of list) line.at = between(line.steps, line.values);
  const steps = [...new Set(list.flatMap(line => line.steps))].sort((a, b) => a - b);
  const there = steps.map(step => list.filter(line => line.steps[0] <= step && step <= line.steps[line.steps.length - 1]));
  const found = steps.map((step, i) => there[i].map(line => line.at(step)).filter(known));
  const values = found.map(each => each.length ? mean(each) : null), half = found.map(each => each.length > 1 ? deviation(each) : 0);
  const xs = steps.map((step, i) => mean(there[i].map(line => line.place(step))));
  return [{steps, xs, values, half, row, name, label: row.label}];
}

// round numbers between two ends
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) || rough, found = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

const range = () => {
  let low = Infinity, high = -Infinity;
  for (const run of ticked()) {
    const place = places(run);
    for (const [steps] of Object.values(run.curves)) for (const x of [steps[0], steps[steps.length - 1]].map(place).filter(known)) {
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
  }
  return [low, high];
};

function plot(panel) {
  const {select, box, tip} = panel;
  if (panel.held) return; // the reader is choosing a range: afterwards
  const wanted = graphs[select.value] || [], isLog = $("log").checked;
  const scale = value => value === null || (isLog && value <= 0) ? null : isLog ? Math.log10(value) : value;
  const lines = grouped(ticked()).flatMap(row => wanted.flatMap(name => series(row, name)));
  for (const line of lines) line.ys = line.values.map(scale);
  const width = Math.max(300, box.clientWidth), {left, right, top, bottom} = EDGE;
  const svg = draw("svg", {viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${select.value} over ${axes[state.axis]}, ${lines.length} lines`});
  box.replaceChildren(svg);
  const [x0, x1] = state.zoom || range();
  let y0 = Infinity, y1 = -Infinity;
  for (const {xs, values, half} of lines) values.forEach((value, i) => {
    if (value === null || xs[i] < x0 || xs[i] > x1) return;
    const ends = [value, ...(half ? [value - half[i], value + half[i]] : [])].map(scale).filter(known);
    y0 = Math.min(y0, ...ends);
    y1 = Math.max(y1, ...ends);
  });
  tip.textContent = "";
  if (y0 > y1) {
    draw("text", {x: width / 2, y: HEIGHT / 2, "text-anchor": "middle"}, svg).textContent = ticked().length ? "nothing of this yet" : "nothing to show: tick runs above";
    return;
  }
  const pad = (y1 - y0) * .05 || .5;
  y0 -= pad; y1 += pad;
  const px = x => left + (x - x0) / (x1 - x0 || 1) * (width - left - right);
  const py = y => top + (y1 - y) / (y1 - y0) * (HEIGHT - top - bottom);
  for (const y of ticks(y0, y1, 5)) {
    draw("line", {class: "axis", x1: left, x2: width - right, y1: py(y), y2: py(y)}, svg);
    draw("text", {x: left - 6, y: py(y) + 4, "text-anchor": "end"}, svg).textContent = number(isLog ? 10 ** y : +y.toPrecision(12));
  }
  const [size, words] = unit(x1), foot = HEIGHT - bottom + 16;
  for (const x of (x1 > x0 ? ticks(x0 / size, x1 / size, width / 90) : [x0 / size]).map(x => x * size))
    draw("text", {x: px(x), y: foot, "text-anchor": px(x) > width - 30 ? "end" : "middle"}, svg).textContent = number(+(x / size).toPrecision(12));
  draw("text", {class: "axis-name", x: (left + width - right) / 2, y: HEIGHT - 8, "text-anchor": "middle"}, svg).textContent = words;
  draw("text", {class: "axis-name", x: 4, y: 14}, svg).textContent = select.value + (isLog ? ", logarithmic" : "");
  const clip = draw("clipPath", {id: `inside-${select.id}`}, svg);
  draw("rect", {x: left, y: top, width: width - left - right, height: HEIGHT - top - bottom}, clip);
  const inside = draw("g", {"clip-path": `url(#inside-${select.id})`}, svg);
  for (const line of lines) trace(line, inside, px, py, scale, line.name === wanted[1]);
  listen(svg, lines, {px, py, width, x0, x1, tip, panel});
  if (panel.pointer) svg.onpointermove(panel.pointer); // still over it
}

function trace(line, parent, px, py, scale, second) {
  const style = `--hue: ${line.row.hue}`, {xs, values, ys, half} = line;
  if (half && half.some(Boolean)) {
    const drawn = xs.map((_, i) => i).filter(i => ys[i] !== null && scale(values[i] - half[i]) !== null);
    const edge = sign => drawn.map(i => `${px(xs[i]).toFixed(1)} ${py(scale(values[i] + sign * half[i])).toFixed(1)}`);
    if (drawn.length > 1) draw("path", {class: "band", style, d: `M${edge(1).join("L")}L${edge(-1).reverse().join("L")}Z`}, parent);
  }
  let d = "", pen = "M";
  ys.forEach((y, i) => {
    if (y === null) { pen = "M"; return; }
    d += `${pen}${px(xs[i]).toFixed(1)} ${py(y).toFixed(1)}`;
    pen = "L";
  });
  line.path = draw("path", {class: second ? "series second" : "series", style, d}, parent);
  if (ys.length === 1 && ys[0] !== null) draw("circle", {style, cx: px(xs[0]), cy: py(ys[0]), r: 3}, parent);
}

function listen(svg, lines, {px, py, width, x0, x1, tip, panel}) {
  const mark = draw("rect", {y: EDGE.top, height: HEIGHT - EDGE.top - EDGE.bottom, width: 0, fill: "var(--accent)", opacity: .2}, svg);
  const at = event => {
    const place = svg.getBoundingClientRect();
    return [(event.clientX - place.left) / place.width * width, (event.clientY - place.top) / place.height * HEIGHT];
  };
  let from = null;
  svg.onpointerdown = event => { [from] = at(event); panel.held = true; svg.setPointerCapture(event.pointerId); };
  svg.onpointermove = event => {
    const [mx, my] = at(event);
    panel.pointer = {clientX: event.clientX, clientY: event.clientY};
    if (from !== null) {
      mark.setAttribute("x", Math.min(from, mx));
      mark.setAttribute("width", Math.abs(mx - from));
      return;
    }
    let best = null;
    for (const line of lines) line.ys.forEach((y, i) => {
      if (y === null) return;
      const distance = (px(line.xs[i]) - mx) ** 2 + (py(y) - my) ** 2;
      if (!best || distance < best.distance) best = {distance, line, i};
    });
    if (!best) return;
    for (const line of lines) line.path.setAttribute("opacity", best.distance < 900 && line.row !== best.line.row ? .15 : 1);
    const {row, name, label, xs, values, half} = best.line;
    const spread = half ? ` ± ${number(half[best.i])}` : "";
    tip.replaceChildren(dot(row.hue), `${label}: ${name.replace("metric/", "")} ${number(values[best.i])}${spread} ${atPlace(xs[best.i])}`);
  };
  svg.onpointerleave = () => { panel.pointer = null; for (const line of lines) line.path.setAttribute("opacity", 1); };
  svg.onpointerup = event => {
    const [to] = at(event), back = x => x0 + (Math.min(Math.max(x, EDGE.left), width - EDGE.right) - EDGE.left) / (width - EDGE.left - EDGE.right) * (x1 - x0);
    panel.held = false;
    if (from !== null && Math.abs(to - from) > 12) zoom(back(Math.min(from, to)), back(Math.max(from, to)));
    from = null;
    mark.setAttribute("width", 0);
  };
  svg.onpointercancel = () => { panel.held = false; from = null; mark.setAttribute("width", 0); };
  svg.ondblclick = () => { state.zoom = null; curves(); };
}

function zoom(low, high) {
  const [least, most] = range(), span = Math.min(high - low, most - least);
  const start = Math.min(Math.max(low, least), most - span);
  state.zoom = span < most - least ? [start, start + span] : null;
  curves();
}

function move(factor, shift) { // of the range: how much wider, and how far on
  const [low, high] = state.zoom || range(), span = high - low, middle = (low + high) / 2 + shift * span;
  zoom(middle - factor * span / 2, middle + factor * span / 2);
}

const curves = () => plots.forEach(plot);

function panels() { // one at least, and one for each pair; those that are there stay
  findGraphs();
  const titles = Object.keys(graphs), metric = data.main.find(key => graphs[key]?.[0].startsWith("metric/"));
  const best = data.results.find(key => key.startsWith("best "))?.slice(5);
  const start = [graphs[best] ? best : metric, ...Object.keys(pairs).filter(title => graphs[title])].filter(known);
  for (const panel of plots) offer(panel.select, titles.map(title => [title, title]));
  for (const title of start.length ? start : titles.slice(0, 1)) {
    if (plots.some(panel => panel.title === title)) continue;
    const select = make("select", {id: `graph-${plots.length}`});
    offer(select, titles.map(title => [title, title]));
    select.value = title;
    const dashes = make("span", {className: "soft"}), box = make("div"), tip = make("p", {className: "tip soft"});
    const panel = {title, select, box, tip, held: false, pointer: null};
    panel.explain = () => {
      const apart = new Set(runs.filter(run => known(run.results[select.value])).map(run => run.kinds[select.value])).size > 1;
      dashes.textContent = apart ? "of different kinds, which are not to be compared: see below the results"
        : graphs[select.value]?.[1] ? `dashed: ${graphs[select.value][1]}` : "";
    };
    select.onchange = () => { panel.explain(); plot(panel); };
    $("plots").append(make("div", {className: "plot"}, make("div", {className: "bar"}, make("label", {}, "Value", select), dashes), box, tip));
    plots.push(panel);
  }
  for (const panel of plots) panel.explain();
  const clocks = Object.keys(axes).filter(name => name === "steps" || runs.some(run => run.clock[name]));
  offer($("axis"), clocks.map(name => [name, axes[name]]));
}

{
  $("in").onclick = () => move(.5, 0);
  $("out").onclick = () => move(2, 0);
  $("left").onclick = () => move(1, -.25);
  $("right").onclick = () => move(1, .25);
  $("whole").onclick = () => { state.zoom = null; curves(); };
  $("log").onchange = curves;
  $("smooth").oninput = curves;
  $("axis").onchange = () => { state.axis = $("axis").value; state.zoom = null; curves(); };
}
