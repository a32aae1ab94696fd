// what each run is and how to make it again; and the beginning of everything

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
  const rows = [["settings", run.said || "–"], ["trained", `${whole(run.step)} steps in ${whole(run.seconds ?? 0)} s`],
    ["folder", run.link === null ? run.folder : make("a", {href: `${run.link}/`, textContent: run.folder})], ["command", make("div", {}, ...run.commands.map(command))]];
  if (run.classes) rows.push(["classes", run.classes.map((name, label) => `${label} ${name}`).join(", ")]);
  if (run.conditions) rows.push(["conditions", run.conditions.join(", ")]);
  if (run.wrong.length) rows.unshift(["went wrong", make("div", {}, ...run.wrong.map(words => make("div", {textContent: words})))]);
  if (run.reason) rows.unshift(["reason", run.reason]);
  if (environments.size > 1 && run.environment) rows.push(...Object.entries(run.environment));
  return facts(rows);
}

function details(run, old) {
  const title = make("summary", {}, dot(hueOf(run)), `${run.name} `, make("span", {className: toneOf(run.status), textContent: run.status + (run.status === "running" ? progress(run) : "")}));
  const element = make("details", {id: `run-${run.id}`}, title);
  element.ontoggle = () => { if (element.open && element.childNodes.length === 1) element.append(about(run)); };
  if (old ? old.open : runs.length === 1) {
    element.append(about(run));
    element.open = true;
  }
  return element;
}

function open(run) { $(`run-${run.id}`).open = true; }

function list() {
  keyed($("runs"), fitting().map(run => ({
    key: run.id,
    sign: JSON.stringify([run.status, run.reason, run.step, run.seconds, run.said, run.commands, run.wrong, hueOf(run)]),
    build: old => details(run, old),
  })));
}

function summary() {
  const counts = new Map();
  for (const run of runs) counts.set(run.status, (counts.get(run.status) || 0) + 1);
  const how = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  const words = runs.length ? `${runs.length} run${runs.length > 1 ? "s" : ""}: ${how}` : "no run yet";
  $("about").textContent = data.title ? `${data.title}: ${words}` : words;
  document.title = `${data.title || "report"}: ${how || words}`;
  const one = environments.size === 1 && runs[0].environment;
  $("environment").hidden = !one;
  if (one) $("environment").querySelector("dl").replaceWith(facts(Object.entries(runs[0].environment)));
}

function pictures() { // all that follows what is ticked
  const words = `${ticked().length} of ${fitting().length} ticked: the samples and curves below`;
  if ($("ticked").textContent !== words) $("ticked").textContent = words;
  samples();
  curves();
  if (searched()) parallel();
}

function refresh() {
  board();
  list();
  pictures();
}

function show(content) { // at first, and whenever there is something new
  take(content);
  summary();
  papers();
  choices();
  tick();
  legend();
  slider();
  panels();
  judges();
  refresh();
  enlarged();
}

let resized = null, wide = innerWidth;
onresize = () => {
  if (innerWidth === wide) return; // a phone's address bar comes and goes
  wide = innerWidth;
  clearTimeout(resized);
  resized = setTimeout(() => { curves(); if (searched()) parallel(); }, 100);
};
