// sample grids side by side, training samples first

let limit = 24; // figures at a time

function figure(source, hue, label, onclick) {
  const caption = make("figcaption", {}, ...(hue === null ? [] : [dot(hue)]), label);
  const image = make("img", {src: safe(source), loading: "lazy", decoding: "async", alt: ""});
  const button = make("button", {className: "picture", onclick}, image);
  button.setAttribute("aria-label", `enlarge ${label}`);
  return make("figure", {}, button, caption);
}

// which data the training samples are of, where there are several: by name, and by number where these have one name
function ofData(place) {
  const names = data.reals.map((_, at) => {
    const settings = runs.find(run => run.real === at)?.settings || {};
    const path = settings["dataset.path"], name = path ? String(path).replace(/\/+$/, "").split("/").pop() : settings.dataset;
    return name ? ` of ${name}` : "";
  });
  if (names.length < 2) return "";
  return names.filter(name => name === names[place]).length > 1 ? `${names[place]} (${place + 1})` : names[place];
}

// the runs whose grids are to be shown, the best first
const pictured = () => ranked().flatMap(row => row.members).filter(run => isOn(run) && stepsOf(run).length);

function samples() {
  const list = pictured(), reals = [...new Set(list.map(run => run.real).filter(known))];
  const items = reals.map(place => ({
    key: `real ${place}`,
    sign: data.reals[place],
    build: () => figure(data.reals[place], null, `training samples${ofData(place)}`, () => enlarge({real: place})),
  }));
  for (const run of list.slice(0, limit)) {
    const step = gridAt(run, state.step), source = run.grids[step];
    const of = reals.length > 1 && known(run.real) ? ofData(run.real) : "";
    const label = `${run.name}, step ${whole(step)}${of && `,${of}`}`;
    items.push({key: run.id, sign: `${source}${hueOf(run)}${label}`, build: old => {
      const made = figure(source, hueOf(run), label, () => enlarge({run: run.id, step: state.step}));
      const before = old?.querySelector("img"), now = made.querySelector("img");
      if (before && before.complete) { // no gap until the new one is there
        now.loading = "eager";
        const address = now.getAttribute("src");
        now.src = before.src;
        const next = new Image();
        next.onload = next.onerror = () => { now.src = address; };
        next.src = address;
      }
      return made;
    }});
  }
  keyed($("grids"), items);
  $("step").textContent = steps().length ? (state.step === null ? `${whole(steps().pop())}, the newest` : whole(state.step)) : "no sample grids yet";
  $("more").hidden = list.length <= limit;
  $("more").textContent = `${list.length - limit} more runs`;
}

const steps = () => [...new Set(runs.flatMap(stepsOf))].sort((a, b) => a - b);

function slider() {
  const all = steps(), last = Math.max(0, all.length - 1);
  $("when").max = last;
  $("when").value = state.step === null ? last : all.filter(step => step <= state.step).length - 1;
  $("when").disabled = all.length < 2;
}

{
  $("when").oninput = () => {
    const all = steps(), at = +$("when").value;
    state.step = at >= all.length - 1 ? null : all[at];
    samples();
  };
  $("more").onclick = () => { limit += 48; samples(); };
}
