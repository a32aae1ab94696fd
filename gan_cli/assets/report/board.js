// figures of papers that the experiments of these runs name, beside theirs

function papers() {
  const row = (tag, cells) => make("tr", {}, ...cells.map(value => make(tag, {textContent: value})));
  $("papers").hidden = !data.published.length;
  const several = data.published.some(each => each.of); // settings: a row for each
  const cells = (result, published, of, ...ours) => [result, published, ...(several ? [of] : []), ...ours];
  $("published").replaceChildren(make("thead", {}, row("th", cells("result", "published", "settings", "here", "runs"))),
    make("tbody", {}, ...data.published.map(each => row("td", cells(each.result, each.published, each.of, each.here || "–", each.runs)))));
}

// the table of results

const sets = {"the main results": () => data.main, "all results": () => data.results};
const first = () => data.results.find(key => key.startsWith("best ")) || data.main[0] || "name";
function order() { // by what the reader chose, else by the first result
  const {sort} = state, key = sort && (data.results.includes(sort.key) || data.keys.includes(sort.key) || sort.key === "name") ? sort.key : first();
  return sort?.key === key ? sort : {key, down: data.results.includes(key) && !lowIsBetter(key)};
}

function valueOf(row, key) {
  if (key === "name") return row.label;
  return data.results.includes(key) ? row.results[key] : row.settings[key];
}

function heading(key, title) {
  const sort = order(), chosen = sort.key === key, isResult = data.results.includes(key);
  const button = make("button", {textContent: title + (chosen ? (sort.down ? " ↓" : " ↑") : "")});
  button.onclick = () => {
    state.sort = {key, down: chosen ? !sort.down : isResult && !lowIsBetter(key)};
    board();
    samples();
  };
  const cell = make("th", {scope: "col", className: isResult ? "number" : key === "name" ? "name" : ""}, button);
  if (chosen) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
  return cell;
}

function nameCell(row) {
  const run = row.members[0], several = row.members.length > 1;
  const name = several ? [...parts(row.label), ` (${row.members.length} runs)`]
    : [make("a", {href: `#run-${run.id}`, title: run.said, onclick: () => open(run)}, ...parts(run.name))];
  const cell = make("td", {className: "name"}, dot(row.hue), ...name);
  if (row.members.some(one => one.status !== "finished" || known(one.reason)))
    cell.append(make("div", {className: "soft why"}, ...standing(row.members)));
  return cell;
}

function line(row, keys, results) {
  const box = make("input", {type: "checkbox", checked: row.members.some(isOn)});
  box.setAttribute("aria-label", `show ${row.label}`);
  box.onchange = () => {
    for (const run of row.members) box.checked ? on.add(run.id) : on.delete(run.id);
    state.chose = true;
    board();
    pictures();
  };
  const tr = make("tr", {className: box.checked ? "" : "off"}, make("td", {}, box), nameCell(row));
  for (const key of results) {
    const spread = key in row.spread ? ` ± ${number(+row.spread[key].toPrecision(2))}` : "";
    const cell = make("td", {className: "number", textContent: number(row.results[key]) + spread}), kind = row.kinds[key];
    if (known(kind)) cell.append(make("sup", {className: "soft", textContent: kind + 1, title: data.kinds[kind]}));
    tr.append(cell);
  }
  for (const key of keys) tr.append(make("td", {textContent: text(row.settings[key])}));
  return tr;
}

// what the filters leave, in the order of the table
function ranked() {
  const {key, down} = order();
  return grouped(fitting()).sort((a, b) => {
    const x = valueOf(a, key), y = valueOf(b, key);
    if (!known(x) || !known(y)) return known(y) - known(x);
    const apart = (a.kinds[key] ?? -1) - (b.kinds[key] ?? -1); // kinds are not compared
    if (apart) return apart;
    return down ? -byValue(x, y) : byValue(x, y);
  });
}

function board() {
  const results = sets[$("which").value]();
  const keys = data.keys.filter(key => !(state.grouped && key === "seed"));
  const shown = () => make("th", {scope: "col"}, make("span", {textContent: "show"}));
  const titles = [["name", "run"], ...results.map(key => [key, key]), ...keys.map(key => [key, key])];
  const head = [{key: "head", sign: JSON.stringify([titles, order()]), build: () => make("tr", {}, shown(), ...titles.map(([key, title]) => heading(key, title)))}];
  keyed($("board").tHead, head);
  keyed($("board").tBodies[0], ranked().map(row => ({
    key: row.members.map(run => run.id).sort().join(),
    sign: JSON.stringify([row.label, row.results, row.spread, row.kinds, row.hue, keys.map(key => row.settings[key]), results,
      row.members.map(run => [run.status, run.reason, run.step, isOn(run)])]),
    build: () => line(row, keys, results),
  })));
}

function legend() {
  const item = (words, mark) => make("div", {}, ...(mark ? [make("sup", {textContent: mark}), " "] : []), words);
  const lines = [...data.kinds.map((kind, i) => item(kind, i + 1)), ...data.left_out.map(line => item(`left out: ${line}`))];
  if (data.kinds.length > 1) lines.push(item("Values with different numbers are of different things: each kind is sorted by itself."));
  $("kinds").replaceChildren(...lines);
  $("kinds").hidden = !lines.length;
}

function filters() { // of what was swept
  const swept = data.swept.map(key => [key, new Set(runs.map(run => text(run.settings[key])))]).filter(([, values]) => values.size > 1 && values.size <= 60);
  const others = [{key: "words", sign: $("filters").firstElementChild.sign, build: old => old}];
  keyed($("filters"), [...others, ...swept.map(([key, values]) => {
    const options = [["", "any"], ...[...values].sort(byValue).map(value => [`=${value}`, value])];
    return {key: `=${key}`, sign: JSON.stringify(options), build: () => {
      const select = make("select");
      offer(select, options);
      if (key in state.only) select.value = `=${state.only[key]}`;
      select.onchange = () => {
        delete state.only[key];
        if (select.value) state.only[key] = select.value.slice(1);
        refresh();
      };
      return make("label", {}, key, select);
    }};
  })]);
}

function tick() { // the best runs at first, and those that come later while there is room, unless the reader has chosen
  const there = new Set(runs.map(run => run.id));
  let room = TICKED - [...on].filter(id => there.has(id)).length;
  for (const {members} of ranked()) {
    const fresh = members.filter(run => !met.has(run.id));
    if (fresh.length && !state.chose && (room >= fresh.length || room === TICKED)) {
      for (const run of fresh) on.add(run.id);
      room -= fresh.length;
    }
    for (const run of fresh) met.add(run.id);
  }
}

function choices() {
  const seeds = data.keys.includes("seed") && groups.length < runs.length;
  if (state.grouped === null && seeds) state.grouped = true;
  $("l-grouped").hidden = !seeds;
  $("grouped").checked = Boolean(state.grouped);
  filters();
}

{
  $("narrow").open = innerWidth > 640; // on a phone the results come first
  $("filters").firstElementChild.key = "words";
  offer($("which"), Object.keys(sets).map(name => [name, name]));
  let typing = null;
  $("words").oninput = () => {
    state.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    clearTimeout(typing);
    typing = setTimeout(refresh, 120);
  };
  $("grouped").onchange = () => { state.grouped = $("grouped").checked; refresh(); };
  $("which").onchange = board;
  $("all").onclick = () => { for (const run of fitting()) on.add(run.id); state.chose = true; refresh(); };
  $("none").onclick = () => { for (const run of fitting()) on.delete(run.id); state.chose = true; refresh(); };
}
