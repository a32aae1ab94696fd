// one grid, as large as the window; the arrows lead to other steps and other runs

// an address of the page itself, whatever its name is made of
const safe = source => /^(data:image\/webp;base64,[A-Za-z0-9+/=]*|picture\/[a-z0-9/]+)$/.test(source) ? source : "";
const large = source => source.startsWith("data:") ? source : `${source}/large`;
const stepsOf = run => Object.keys(run.grids).map(Number).sort((a, b) => a - b);

// the grid of a run at a step, or the last before it; the newest if none is named
function gridAt(run, wanted) {
  const steps = stepsOf(run);
  return known(wanted) ? steps.filter(step => step <= wanted).pop() ?? steps[0] : steps[steps.length - 1];
}

function enlarge(what) { // {run: id, step} or {real: place}; a step that is null follows the newest
  state.open = what;
  enlarged();
  if (!$("enlarged").open) $("enlarged").showModal();
}

function enlarged() {
  const what = state.open;
  if (!what) return;
  const run = runs.find(one => one.id === what.run), isReal = "real" in what;
  const source = isReal ? data.reals[what.real] : run && run.grids[gridAt(run, what.step)];
  if (!source) return; // as it was
  $("e-title").textContent = isReal ? `training samples${ofData(what.real)}` : `${run.name}, step ${whole(gridAt(run, what.step))}`;
  const address = safe(large(source));
  if ($("e-picture").getAttribute("src") !== address) $("e-picture").src = address;
  $("e-picture").alt = $("e-title").textContent;
  for (const id of ["e-earlier", "e-later", "e-up", "e-down"]) $(id).hidden = isReal;
}

function turn(steps, places) {
  const what = state.open, run = runs.find(one => one.id === what?.run);
  if (!run) return;
  const list = pictured(), at = list.indexOf(run), other = list[at + places] || run;
  const all = stepsOf(run), next = all[all.indexOf(gridAt(run, what.step)) + steps];
  const newest = all[all.length - 1];
  enlarge({run: other.id, step: !steps ? what.step : !known(next) ? what.step : next === newest ? null : next});
}

{
  const dialog = $("enlarged"), ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  $("e-earlier").onclick = () => turn(-1, 0);
  $("e-later").onclick = () => turn(1, 0);
  $("e-up").onclick = () => turn(0, -1);
  $("e-down").onclick = () => turn(0, 1);
  $("e-close").onclick = () => dialog.close();
  $("e-picture").onclick = () => dialog.close();
  dialog.onclick = event => { if (event.target === dialog) dialog.close(); }; // beside the picture
  dialog.onclose = () => {
    const key = "real" in state.open ? `real ${state.open.real}` : state.open.run;
    state.open = null;
    [...$("grids").children].find(child => child.key === key)?.querySelector("button").focus({preventScroll: true}); // which may be a new one
  };
  dialog.onkeydown = event => {
    if (!ways[event.key]) return;
    event.preventDefault();
    turn(...ways[event.key]);
  };
}
