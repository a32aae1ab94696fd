// the page at first, and then what is new of it where it is served

const GOING = 2000, STILL = 5000; // milliseconds between two questions: while runs go on, and when none does

{
  const content = JSON.parse($("data").textContent), all = new Map();
  const merge = change => {
    for (const run of change.runs) all.set(run.id, run);
    return {...change, runs: change.order.map(id => all.get(id))};
  };
  let token = content.token, asked = null;
  const clock = () => new Date().toLocaleTimeString();
  const say = (words, tone) => {
    if (tone === "bad") $("live").setAttribute("role", "alert"); else $("live").removeAttribute("role"); // not every two seconds
    Object.assign($("live"), {hidden: false, textContent: words, className: tone});
  };

  async function ask() {
    asked = null;
    if (document.hidden) return; // it asks when it is looked at again
    let wait = STILL;
    try {
      const answer = await fetch(`new?since=${encodeURIComponent(token)}`, {cache: "no-store"});
      if (!answer.ok) throw new Error(answer.statusText);
      const change = await answer.json();
      if (change.token !== token) {
        token = change.token;
        show(merge(change));
      }
      say(`live, as of ${clock()}`, "soft");
    } catch {
      if (!$("live").classList.contains("bad")) say(`no longer live since ${clock()}: gan-report has ended or does not answer. This is how it stood.`, "bad");
    }
    if (runs.some(run => run.status === "running")) wait = GOING;
    asked ??= setTimeout(ask, wait);
  }

  show(token ? merge(content) : content);
  if (token) {
    say(`live, as of ${clock()}`, "soft");
    asked = setTimeout(ask, GOING);
    document.onvisibilitychange = () => { if (!document.hidden && asked === null) ask(); };
  }
}
