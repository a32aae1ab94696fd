// what each run is and how to make it again; and the beginning of everything

const environments = new Set(runs.map(run => JSON.stringify(run.environment)));
const facts = entries => make("dl", {}, ...entries.flatMap(([name, value]) => [make("dt", {textContent: name}), make("dd", {}, value)]));

function command(words) {
  const button = make("button", {textContent: "copy"});
  button.setAttribute("aria-label", `copy ${words}`);
  button.onclick = async () => {
    try { await navigator.clipboard.writeText(words); button.textContent = "copied"; } catch { button.textContent = "select it and copy"; }
  };
  return make("div", {}, make("code", {textContent: words}), " ", button);
}

function about(run) {
  const rows = [["settings", run.label], ["trained", `${number(run.step)} steps in ${number(Math.round(run.seconds ?? 0))} s`],
    ["folder", make("a", {href: `${run.link}/`, textContent: run.folder})], ["command", make("div", {}, ...run.commands.map(command))]];
  if (run.classes) rows.push(["classes", run.classes.map((name, label) => `${label} ${name}`).join(", ")]);
  if (run.wrong.length) rows.unshift(["went wrong", make("div", {}, ...run.wrong.map(words => make("div", {textContent: words})))]);
  if (run.reason) rows.unshift(["reason", run.reason]);
  if (environments.size > 1 && run.environment) rows.push(...Object.entries(run.environment));
  return facts(rows);
}

function details(run) {
  const tone = run.status === "finished" ? "good" : run.status === "running" ? "" : "bad";
  const title = make("summary", {}, dot(hueOf(run)), `${run.number}. ${run.name} `, make("span", {className: tone, textContent: run.status}));
  const element = make("details", {id: `run-${run.number}`}, title);
  element.ontoggle = () => { if (element.open && element.childNodes.length === 1) element.append(about(run)); };
  return element;
}

function open(run) { $(`run-${run.number}`).open = true; }

function list() {
  $("runs").replaceChildren(...fitting().map(details));
  if (runs.length === 1) for (const element of $("runs").children) element.open = true;
}

function summary() {
  const counts = new Map();
  for (const run of runs) counts.set(run.status, (counts.get(run.status) || 0) + 1);
  const how = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  $("about").textContent = `${runs.length} run${runs.length > 1 ? "s" : ""}: ${how}`;
  if (environments.size === 1 && runs[0].environment) {
    $("environment").hidden = false;
    $("environment").querySelector("dl").replaceWith(facts(Object.entries(runs[0].environment)));
  }
}

function pictures() { // all that follows what is ticked
  $("ticked").textContent = `${ticked().length} of ${fitting().length} ticked: the curves and samples below`;
  curves();
  samples();
  if (searched) parallel();
}

function refresh() {
  board();
  list();
  pictures();
}

summary();
choices();
legend();
panels();
refresh();
let resized = null, wide = innerWidth;
onresize = () => {
  if (innerWidth === wide) return; // a phone's address bar comes and goes
  wide = innerWidth;
  clearTimeout(resized);
  resized = setTimeout(() => { curves(); if (searched) parallel(); }, 100);
};
