// Curves of groups of runs: smoothed, their mean and the interval of the mean by Student's t.

// As rc.smooth: a moving average without bias at its start, faded by differences of x.
function smoothed(curve, x, alpha) {
  const steps = Array.from(x, (at, i) => (i ? at - x[i - 1] : 0));
  const median = quantile(steps.slice(1), 0.5) || 1;
  const values = new Float64Array(curve.values.length).fill(NaN);
  for (let start = 0; start < values.length; start += curve.nX) {
    let [total, weight] = [0, 0];
    for (let i = 0; i < curve.nX; i++) {
      const own = curve.values[start + i];
      const fade = i ? alpha ** (steps[i] / median) : 1;
      total = total * fade + (Number.isNaN(own) ? 0 : own);
      weight = weight * fade + (Number.isNaN(own) ? 0 : 1);
      if (!Number.isNaN(own)) values[start + i] = total / weight;
    }
  }
  return { ...curve, values };
}

// As np.quantile.
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at % 1);
}

// Mean, half of its interval and n of some runs at each x; NaN where there are too few.
function summary({ values, nX }, runs, t) {
  const [mean, half] = [new Float64Array(nX).fill(NaN), new Float64Array(nX).fill(NaN)];
  const [n, total, squares] = [new Uint32Array(nX), new Float64Array(nX), new Float64Array(nX)];
  for (const run of runs) {
    for (let i = 0, at = run * nX; i < nX; i++, at++) {
      if (values[at] !== values[at]) continue;
      total[i] += values[at];
      n[i]++;
    }
  }
  for (let i = 0; i < nX; i++) if (n[i]) mean[i] = total[i] / n[i];
  for (const run of runs) {
    for (let i = 0, at = run * nX; i < nX; i++, at++)
      if (values[at] === values[at]) squares[i] += (values[at] - mean[i]) ** 2;
  }
  for (let i = 0; i < nX; i++)
    if (n[i] > 1) half[i] = t[n[i]] * Math.sqrt(squares[i] / (n[i] - 1) / n[i]);
  return { mean, half, n };
}

// The same of some numbers, those that are finite.
function summaryOf(numbers, t) {
  const values = Float64Array.from(numbers.filter(Number.isFinite));
  const { mean, half, n } = summary({ values, nX: 1 }, [...values.keys()], t);
  return { mean: mean[0], half: half[0], n: n[0] };
}

// Stretches of finite values as pairs [start, stop): Bokeh draws areas with gaps wrongly.
function stretches(values) {
  const found = [];
  for (let start = 0; start < values.length; start++) {
    if (!Number.isFinite(values[start])) continue;
    let stop = start;
    while (stop < values.length && Number.isFinite(values[stop])) stop++;
    found.push([start, stop]);
    start = stop;
  }
  return found;
}

function extent(values) {
  const bounds = [Infinity, -Infinity];
  for (const value of values) grow(bounds, value);
  return bounds;
}

function grow(bounds, value) {
  if (value < bounds[0]) bounds[0] = value;
  if (value > bounds[1]) bounds[1] = value;
}

// Wide intervals of few seeds may double the range, not more: they would hide what is measured.
function withIntervals([low, high], [least, most]) {
  const room = (high - low) / 2;
  return [
    Math.min(low, Math.max(least, low - room)),
    Math.max(high, Math.min(most, high + room)),
  ];
}
