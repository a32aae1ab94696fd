// what the page holds, what is chosen, and small helpers

const $ = id => document.getElementById(id);
let data, runs, groups, environments;
const state = {words: [], only: {}, grouped: null, sort: null, zoom: null, axis: "steps", step: null, chose: false, open: null};
const TICKED = 24; // of the best runs, at first
const on = new Set(); // the ids of the runs that are ticked
const met = new Set(); // and of those that have been there
const arrived = new Map(); // when a run was there first, which gives it its colour
const leads = new Map(); // the first run of each group

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

// brings the children of an element up to date: each has a key, and is built anew if its sign differs
function keyed(parent, items) {
  const old = new Map([...parent.children].map(child => [child.key, child]));
  let at = parent.firstElementChild;
  for (const {key, sign, build} of items) {
    let element = old.get(key);
    old.delete(key);
    if (!element || element.sign !== sign) {
      const made = Object.assign(build(element), {key, sign});
      if (element) {
        if (element === at) at = made;
        const held = focusable(element).indexOf(document.activeElement);
        element.replaceWith(made);
        focusable(made)[held]?.focus({preventScroll: true});
      }
      element = made;
    }
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const rest of old.values()) rest.remove();
}
const focusable = element => [...element.querySelectorAll("a, button, input, summary, select")];

// gives a choice these options, [value, words]; what was chosen stays
function offer(select, options) {
  const sign = JSON.stringify(options);
  if (select.sign === sign) return;
  const before = select.sign ? select.value : null;
  select.sign = sign;
  select.replaceChildren(...options.map(([value, words]) => make("option", {value, textContent: words})));
  if (before !== null && options.some(([value]) => value === before)) select.value = before;
}

const known = value => value !== null && value !== undefined;
const text = value => !known(value) ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
function number(value) {
  if (!known(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || (size && size < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(4));
}
const whole = value => known(value) ? Math.round(value).toLocaleString("en") : "–";
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
function hue(what) {
  if (!arrived.has(what)) arrived.set(what, arrived.size);
  return Math.round(20 + arrived.get(what) * 137.5) % 360;
}

function take(content) {
  data = content;
  runs = data.runs;
  for (const run of runs) {
    run.group = settingsOf(run);
    if (!leads.has(run.group)) leads.set(run.group, run.id);
    run.hues = [hue(run.id), hue(leads.get(run.group))]; // of the run, of its group
  }
  groups = [...new Set(runs.map(run => run.group))];
  environments = new Set(runs.map(run => JSON.stringify(run.environment)));
  for (const run of runs) {
    run.kinds = Object.assign(Object.create(null), run.kinds); // any key is one's own
    run.said = data.keys.map(key => `${key.split(".").pop()} ${text(run.settings[key])}`).join(", ");
    run.hay = [run.name, run.status, run.reason, ...data.keys.map(key => `${key}=${text(run.settings[key])}`)].join(" ").toLowerCase();
  }
}

// runs that the filters leave, and those of them that are ticked
const fitting = () => runs.filter(run => state.words.every(word => run.hay.includes(word))
  && Object.entries(state.only).every(([key, wanted]) => !data.swept.includes(key) || text(run.settings[key]) === wanted));
const isOn = run => on.has(run.id);
const ticked = () => fitting().filter(isOn);

const hueOf = run => run.hues[+Boolean(state.grouped)];

// groups of these runs, or each run alone, with mean and spread of the results
function grouped(list) {
  const found = new Map();
  for (const run of list) {
    const key = state.grouped ? run.group : run.id;
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
    const common = data.keys.filter(key => key !== "seed").map(key => `${key.split(".").pop()} ${text(members[0].settings[key])}`).join(", ");
    const names = new Set(members.map(run => run.name.replace(/seed-\d+/g, "seed-…"))); // folders that differ in their seed alone
    const label = members.length === 1 ? members[0].name : names.size === 1 ? [...names][0] : common || "all";
    return {members, results, spread, kinds, label, settings: members[0].settings, hue: hueOf(members[0])};
  });
}

// a name that may be broken after a part of it
const parts = name => name.split(/(?<=[/_])/).flatMap(part => [part, make("wbr")]);

const toneOf = status => status === "finished" ? "good" : status === "running" ? "going" : "bad";

// how runs stand, as elements: what is unusual first, and why one stopped
function standing(members) {
  const counts = new Map();
  for (const run of members) counts.set(run.status, (counts.get(run.status) || 0) + 1);
  const words = [...counts].flatMap(([status, count], i) => {
    const going = status === "running" && members.length === 1 ? progress(members[0]) : "";
    return [...(i ? [", "] : []), make("span", {className: toneOf(status), textContent: (members.length > 1 ? `${count} ${status}` : status) + going})];
  });
  const reasons = [...new Set(members.map(run => run.reason).filter(known))];
  return reasons.length ? [...words, `: ${reasons.slice(0, 2).join("; ")}`] : words;
}
const progress = run => known(run.steps) ? `, step ${whole(run.step)} of ${whole(run.steps)}` : `, step ${whole(run.step)}`;
