// figures of papers that the experiments of these runs name, beside theirs
{
  const row = (tag, cells) => make("tr", {}, ...cells.map(value => make(tag, {textContent: value})));
  $("papers").hidden = !data.published.length;
  $("published").append(make("thead", {}, row("th", ["result", "published", "here", "runs"])),
    make("tbody", {}, ...data.published.map(each => row("td", [each.result, each.published, each.here || "–", each.runs]))));
}

// leaderboard

const sets = {"the main ones": data.main, all: data.results};
const first = data.results.find(key => key.startsWith("best ")) || data.main[0] || "number";
state.sort = {key: first, down: data.results.includes(first) && !lowIsBetter(first)};

function valueOf(row, key) {
  if (key === "number") return row.members[0].number;
  if (key === "status") return row.members[0].status;
  return data.results.includes(key) ? row.results[key] : row.settings[key];
}

function heading(key, title) {
  const {sort} = state, chosen = sort.key === key, isResult = data.results.includes(key);
  const button = make("button", {textContent: title + (chosen ? (sort.down ? " ↓" : " ↑") : "")});
  button.onclick = () => {
    state.sort = {key, down: chosen ? !sort.down : isResult && !lowIsBetter(key)};
    board();
    samples();
    [...$("board").querySelectorAll("th button")].find(other => other.textContent.startsWith(title))?.focus();
  };
  const cell = make("th", {scope: "col", className: isResult ? "number" : ""}, button);
  if (chosen) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
  return cell;
}

function statusCell(row) {
  const counts = new Map();
  for (const run of row.members) counts.set(run.status, (counts.get(run.status) || 0) + 1);
  const cell = make("td");
  for (const [status, count] of counts) {
    const tone = status === "finished" ? "good" : status === "running" ? "" : "bad";
    if (cell.childNodes.length) cell.append(", ");
    cell.append(make("span", {className: tone, textContent: row.members.length > 1 ? `${count} ${status}` : status}));
  }
  const reasons = [...new Set(row.members.map(run => run.reason).filter(known))];
  if (reasons.length) {
    cell.classList.add("reason");
    cell.append(make("div", {className: "soft", textContent: reasons.slice(0, 2).join("; ")}));
  }
  return cell;
}

function line(row, keys, results) {
  const on = row.members.some(run => run.on);
  const box = make("input", {type: "checkbox", checked: on});
  box.setAttribute("aria-label", `show ${row.label}`);
  box.onchange = () => {
    for (const run of row.members) run.on = box.checked;
    tr.className = box.checked ? "" : "off";
    pictures();
  };
  const run = row.members[0];
  const name = state.grouped ? `${row.members.length} run${row.members.length > 1 ? "s" : ""}`
    : make("a", {href: `#run-${run.number}`, textContent: data.keys.length ? `run ${run.number}` : run.name, title: run.name, onclick: () => open(run)});
  const tr = make("tr", {className: on ? "" : "off"}, make("td", {}, box), make("td", {}, dot(row.hue), name), statusCell(row));
  for (const key of keys) tr.append(make("td", {textContent: text(row.settings[key])}));
  for (const key of results) {
    const spread = key in row.spread ? ` ± ${number(+row.spread[key].toPrecision(2))}` : "";
    const cell = make("td", {className: "number", textContent: number(row.results[key]) + spread}), kind = row.kinds[key];
    if (known(kind)) cell.append(make("sup", {className: "soft", textContent: kind + 1, title: data.kinds[kind]}));
    tr.append(cell);
  }
  return tr;
}

// what the filters leave, in the order of the leaderboard
function ranked() {
  return grouped(fitting()).sort((a, b) => {
    const x = valueOf(a, state.sort.key), y = valueOf(b, state.sort.key);
    if (!known(x) || !known(y)) return known(y) - known(x);
    const apart = (a.kinds[state.sort.key] ?? -1) - (b.kinds[state.sort.key] ?? -1); // kinds are not compared
    if (apart) return apart;
    return state.sort.down ? -byValue(x, y) : byValue(x, y);
  });
}

function board() {
  const results = sets[$("which").value] || data.results;
  const keys = data.keys.filter(key => !(state.grouped && key === "seed"));
  const titles = [["number", state.grouped ? "runs" : "run"], ["status", "status"], ...keys.map(key => [key, key]), ...results.map(key => [key, key])];
  const shown = make("th", {scope: "col"}, make("span", {textContent: "show"}));
  $("board").replaceChildren(
    make("thead", {}, make("tr", {}, shown, ...titles.map(([key, title]) => heading(key, title)))),
    make("tbody", {}, ...ranked().map(row => line(row, keys, results))));
}

function legend() {
  const item = (words, mark) => make("div", {}, ...(mark ? [make("sup", {textContent: mark}), " "] : []), words);
  const lines = [...data.kinds.map((kind, i) => item(kind, i + 1)), ...data.left_out.map(line => item(`left out: ${line}`))];
  if (data.kinds.length > 1) lines.push(item("Values with different numbers are of different things: each kind is sorted by itself."));
  $("kinds").replaceChildren(...lines);
  $("kinds").hidden = !lines.length;
}

function choices() {
  const distinct = {status: new Set(runs.map(run => run.status))};
  for (const key of data.keys) distinct[key] = new Set(runs.map(run => text(run.settings[key])));
  for (const [key, values] of Object.entries(distinct)) {
    if (values.size < 2 || values.size > 60) continue;
    const select = make("select", {}, make("option", {value: "", textContent: "any"}));
    for (const value of [...values].sort(byValue)) select.append(make("option", {value: `=${value}`, textContent: value}));
    select.onchange = () => {
      delete state.only[key];
      if (select.value) state.only[key] = select.value.slice(1);
      refresh();
    };
    $("filters").append(make("label", {}, key, select));
  }
  for (const name of Object.keys(sets)) $("which").append(make("option", {textContent: name}));
  state.grouped = data.keys.includes("seed") && groups.length < runs.length;
  $("l-grouped").hidden = !state.grouped;
  $("grouped").checked = state.grouped;
  let room = TICKED;
  for (const {members} of ranked()) if ((room -= members.length) >= 0 || room + members.length === TICKED) for (const run of members) run.on = true;
  let typing = null;
  $("words").oninput = () => {
    state.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    clearTimeout(typing);
    typing = setTimeout(refresh, 120);
  };
  $("grouped").onchange = () => { state.grouped = $("grouped").checked; refresh(); };
  $("which").onchange = board;
  for (const [id, on] of [["all", true], ["none", false]]) $(id).onclick = () => { for (const run of fitting()) run.on = on; refresh(); };
}
