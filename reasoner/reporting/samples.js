// Narrows the samples to a domain, a verdict of the gate, a component; those of a component lowest score first.
(() => {
  const bar = document.getElementById("sample-filter");
  const samples = [...document.querySelectorAll("article.sample")];
  const place = samples[0].parentNode;
  const chosen = name => bar.querySelector(`[name=${name}]`).value;
  const show = () => {
    const component = chosen("component");
    const score = sample => JSON.parse(sample.dataset.scores)[component] ?? null;
    const wanted = samples.filter(sample =>
      ["domain", "gate"].every(name => ["", sample.dataset[name]].includes(chosen(name)))
      && (component === "" || score(sample) !== null));
    for (const sample of samples) sample.hidden = !wanted.includes(sample);
    if (component !== "") wanted.sort((a, b) => score(a) - score(b));
    wanted.forEach(sample => place.append(sample));
    bar.querySelector("output").textContent = `${wanted.length} of ${samples.length}`;
  };
  bar.hidden = false;
  bar.addEventListener("change", show);
  show();
})();
