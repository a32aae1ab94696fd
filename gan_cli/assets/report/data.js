// what the page holds, what is chosen, and small helpers

const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const runs = data.runs;
const state = {words: [], only: {}, grouped: false, sort: null, zoom: null};
const TICKED = 24; // of the best runs, at first

function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

function draw(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
}

const known = value => value !== null && value !== undefined;
const text = value => !known(value) ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
function number(value) {
  if (!known(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || (size && size < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(4));
}
const byValue = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : text(a).localeCompare(text(b), undefined, {numeric: true});
const lowIsBetter = key => data.low.includes(key);
const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
const dot = hue => make("span", {className: "dot", style: `--hue: ${hue}`});

// settings without the seed: runs that agree in them are one group
const settingsOf = run => JSON.stringify(data.keys.filter(key => key !== "seed").map(key => run.settings[key]));
const groups = [...new Set(runs.map(settingsOf))];
const hue = index => Math.round(20 + index * 137.5) % 360;

runs.forEach((run, index) => {
  run.number = index + 1;
  run.hues = [hue(index), hue(groups.indexOf(settingsOf(run)))]; // of the run, of its group
  run.on = false;
  run.kinds = Object.assign(Object.create(null), run.kinds); // any key is one's own
  run.label = data.keys.length ? data.keys.map(key => `${key.split(".").pop()} ${text(run.settings[key])}`).join(", ") : run.name;
  run.hay = [run.name, run.status, run.reason, ...data.keys.map(key => `${key}=${text(run.settings[key])}`)].join(" ").toLowerCase();
});

// runs that the filters leave, and those of them that are ticked
const fitting = () => runs.filter(run => state.words.every(word => run.hay.includes(word))
  && Object.entries(state.only).every(([key, wanted]) => text(key === "status" ? run.status : run.settings[key]) === wanted));
const ticked = () => fitting().filter(run => run.on);

const hueOf = run => run.hues[+state.grouped];

// groups of these runs, or each run alone, with mean and spread of the results
function grouped(list) {
  const found = new Map();
  for (const run of list) {
    const key = state.grouped ? settingsOf(run) : run.number;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(run);
  }
  return [...found.values()].map(members => {
    const results = Object.create(null), spread = Object.create(null), {kinds} = members[0]; // any key is one's own
    for (const key of data.results) {
      const values = members.map(run => run.results[key]).filter(known);
      if (values.length) results[key] = mean(values);
      if (values.length > 1) spread[key] = deviation(values);
    }
    const label = state.grouped ? `${members[0].label.replace(/,? ?seed [^,]+/, "").replace(/^, /, "") || "all"} (${members.length})` : members[0].label;
    return {members, results, spread, kinds, label, settings: members[0].settings, hue: hueOf(members[0])};
  });
}
