// sample grids side by side

const stepsOf = run => Object.keys(run.grids).map(Number).sort((a, b) => a - b);
const allSteps = [...new Set(runs.flatMap(stepsOf))].sort((a, b) => a - b);
let limit = 24; // figures at a time

function figure(source, hue, label) {
  const caption = make("figcaption", {}, ...(hue === null ? [] : [dot(hue)]), label);
  return make("figure", {}, make("img", {src: source, loading: "lazy", decoding: "async", alt: ""}), caption);
}

function samples() {
  const wanted = allSteps[+$("when").value], list = ranked().flatMap(row => row.members).filter(run => run.on && stepsOf(run).length);
  const figures = list.slice(0, limit).map(run => {
    const steps = stepsOf(run), step = steps.filter(other => other <= wanted).pop() ?? steps[0];
    return figure(run.grids[step], hueOf(run), `${run.label}, step ${step}`);
  });
  if (data.real && list.length) figures.unshift(figure(data.real, null, "training samples"));
  $("grids").replaceChildren(...figures);
  $("step").textContent = wanted ?? "no sample grids";
  $("more").hidden = list.length <= limit;
  $("more").textContent = `${list.length - limit} more runs`;
}

$("when").max = Math.max(0, allSteps.length - 1);
$("when").value = $("when").max;
$("when").disabled = allSteps.length < 2;
$("when").oninput = samples;
$("more").onclick = () => { limit += 48; samples(); };
